package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/podshare/podshare/e2e/images"
	"github.com/podshare/podshare/e2e/node"
	"github.com/podshare/podshare/e2e/screen"
	"github.com/podshare/podshare/pkg/config"
)

const (
	imagesDir    = ".cache/images"
	agentProgram = "bin/podshare-agent"
	// runLimit bounds the wait for the samples' pods, and for a new price.
	runLimit = time.Minute
	// quantity is what the demo asks the price of.
	quantity = "100"
)

// canHaveNode says whether this machine can have a cluster with a node, or else what it would take.
func canHaveNode() (can bool, lacking string) {
	switch {
	case os.Getenv("NODE") == "off":
		return false, "leave out NODE=off"
	case runtime.GOOS != "linux" || os.Getuid() != 0:
		return false, "run this as root on Debian or Ubuntu"
	}
	if missing := node.MissingPackages(); len(missing) > 0 {
		return false, "install " + strings.Join(missing, ", ")
	}
	return true, ""
}

// importImages gives the node what the samples' pods are made of. The agent has the name that the configuration gives it by default.
func (d *demo) importImages(ctx context.Context) error {
	python, agent := filepath.Join(imagesDir, "python.tar"), filepath.Join(imagesDir, "demo-agent.tar")
	if err := images.Python(ctx, python); err != nil {
		return err
	}
	if err := images.Program(config.Default().Agent.Image, agentProgram, agent); err != nil {
		return err
	}
	return d.cluster.Import(ctx, python, agent)
}

// useImage replaces the image of each Deployment's container.
func useImage(objects []*unstructured.Unstructured, image string) error {
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		path := []string{"spec", "template", "spec", "containers"}
		containers, _, err := unstructured.NestedSlice(object.Object, path...)
		if err != nil {
			return err
		}
		for _, container := range containers {
			container.(map[string]any)["image"] = image
		}
		if err := unstructured.SetNestedSlice(object.Object, containers, path...); err != nil {
			return err
		}
	}
	return nil
}

// showPress shows what all of it is for: the button is pressed in the producer, and the consumer has a new price.
func (d *demo) showPress(ctx context.Context) error {
	if !d.node {
		return nil
	}
	d.title("What it is for: press a button in one pod, and another has new code")
	requests, err := kubernetes.NewForConfig(d.cluster.Config())
	if err != nil {
		return err
	}
	err = d.screen.Step("the pods are ready", func() error {
		return d.servers.Controller.Await(ctx, "the samples' pods to be ready", runLimit, d.samplesReady)
	})
	if err != nil {
		return err
	}
	press := func(percent string) error {
		return requests.CoreV1().RESTClient().Post().Namespace(samplesNamespace).Resource("pods").Name(d.podOf("rule-editor")+":8080").
			SubResource("proxy").Suffix("/").SetHeader("Content-Type", "application/x-www-form-urlencoded").
			Body([]byte("percent=" + percent + "&quantity=50")).Do(ctx).Error()
	}
	for _, percent := range []string{"10", "25"} {
		before, err := d.price(ctx, requests)
		if err != nil {
			return err
		}
		d.screen.Say("    price-service, which imports price_rule: %s pieces cost %s each (%s)", quantity, before.UnitPrice, before.Rule)
		begun := time.Now()
		if err := press(percent); err != nil {
			return fmt.Errorf("pressing rule-editor's button: %w", err)
		}
		d.screen.Say("    button pressed in rule-editor: %s %% off", percent)
		var after price
		err = d.servers.Controller.Await(ctx, "price-service to have a new price", runLimit, func(ctx context.Context) (err error) {
			if after, err = d.price(ctx, requests); err == nil && after == before {
				err = errors.New("it has the old one")
			}
			return err
		})
		if err != nil {
			return err
		}
		d.screen.Say("    price-service: %s pieces cost %s each (%s), %s after the button", quantity, after.UnitPrice, after.Rule,
			d.screen.Paint(screen.Bold, fmt.Sprintf("%d ms", time.Since(begun).Milliseconds())))
	}
	return nil
}

// samplesReady says which pod is not.
func (d *demo) samplesReady(ctx context.Context) error {
	if err := d.readSamples(ctx); err != nil {
		return err
	}
	for _, s := range d.samples {
		ready := false
		for _, condition := range s.pod.Status.Conditions {
			ready = ready || condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
		}
		if !ready {
			return fmt.Errorf("pod %s is %s and not ready", s.pod.Name, s.pod.Status.Phase)
		}
	}
	return nil
}

func (d *demo) podOf(deployment string) string {
	for _, s := range d.samples {
		if s.name == deployment {
			return s.pod.Name
		}
	}
	return ""
}

// price is price-service's answer.
type price struct {
	UnitPrice string `json:"unit_price"`
	Rule      string `json:"rule"`
}

func (d *demo) price(ctx context.Context, requests kubernetes.Interface) (p price, err error) {
	answer, err := requests.CoreV1().RESTClient().Get().Namespace(samplesNamespace).Resource("pods").Name(d.podOf("price-service")+":8080").
		SubResource("proxy").Suffix("price").Param("quantity", quantity).DoRaw(ctx)
	if err != nil {
		return p, fmt.Errorf("asking price-service: %w", err)
	}
	return p, json.Unmarshal(answer, &p)
}
