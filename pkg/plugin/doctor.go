package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/podshare/podshare/pkg/program"
)

// doctor is one examination of an installation.
type doctor struct {
	*cluster
	settings settings
	gate     gate
	// namespace is where dry runs are made.
	namespace string
	// now is the API server's time.
	now time.Time
	// registered are podshare's webhooks, and missing says what is wrong where one is not.
	registered []registration
	missing    []finding
}

// reapply is what mends what is missing of an installation: docs/platform.md.
const reapply = "kubectl apply -k manifests/overlays/default"

// checks are what doctor looks at, in an order in which the first that fails is often why others do.
var checks = []struct {
	name string
	look func(*doctor, context.Context) []finding
}{
	{"kubernetes", (*doctor).checkKubernetes},
	{"installation", (*doctor).checkInstallation},
	{"versions", (*doctor).checkVersions},
	{"webhook", (*doctor).checkWebhooks},
	{"certificate", (*doctor).checkCertificate},
	{"answers", (*doctor).checkAnswers},
	{"policy", (*doctor).checkPolicy},
	{"controller", (*doctor).checkController},
	{"storage", (*doctor).checkStorage},
	{"claims", (*doctor).checkClaims},
	{"pods", (*doctor).checkPods},
}

// diagnosis is what one check found.
type diagnosis struct {
	Check string `json:"check"`
	finding
}

func newDoctor(o *options) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "doctor [-n NAMESPACE] [-o json]",
		Short: "Examine the installation: what is broken, and how to mend it",
		Long: `Examine the installation: what is broken, and how to mend it.

It changes nothing. An annotated pod and a workload with a mistake are sent as dry runs, to the namespace of -n: the API server's answers say
whether it reaches and trusts the webhook. What you may not read is told as a warning.

It ends with 1 when something is broken, and with 0 when there are only warnings.`,
		Example: `  kubectl podshare doctor
  kubectl podshare doctor -n shop -o json`,
		Args:              program.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return program.UsageError{Mistake: fmt.Errorf("--output %q must be json, or left out", output)}
			}
			found, err := o.examine(cmd.Context())
			if err != nil {
				return err
			}
			return o.report(found, output)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "Output format: json, for scripts")
	return command
}

func (o *options) examine(ctx context.Context) ([]diagnosis, error) {
	namespace, err := o.namespace()
	if err != nil {
		return nil, err
	}
	cluster, err := o.cluster()
	if err != nil {
		return nil, err
	}
	d := &doctor{cluster: cluster, namespace: namespace}
	if d.now, err = cluster.now(ctx); err != nil { // then there is nothing to examine
		return nil, fmt.Errorf("the API server does not answer: %w", err)
	}
	d.settings, d.gate = cluster.settings(ctx), cluster.gate(ctx)
	d.registered, d.missing = d.registrations(ctx)
	var found []diagnosis
	for _, check := range checks {
		for _, f := range check.look(d, ctx) {
			found = append(found, diagnosis{check.name, f})
		}
	}
	return found, nil
}

func (o *options) report(found []diagnosis, output string) error {
	findings := make([]finding, len(found))
	for i := range found {
		findings[i] = found[i].finding
	}
	if output == "" {
		if err := printFindings(o.Out, findings); err != nil {
			return err
		}
		return failed(findings, "problem")
	}
	encoder := json.NewEncoder(o.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Errors   int         `json:"errors"`
		Warnings int         `json:"warnings"`
		Findings []diagnosis `json:"findings"`
	}{count(findings, trouble), count(findings, doubt), found})
	if err != nil {
		return err
	}
	return failed(findings, "problem")
}

// hidden is a warning that something could not be looked at.
func hidden(what string, err error) []finding {
	return []finding{warn("%s: %s", what, reason(err))}
}
