//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// serveDefaulter serves the typed defaulter, until the process is killed.
func serveDefaulter(address, certificates string) error {
	server := &http.Server{
		Addr: address, Handler: admission.WithDefaulter[*corev1.Pod](scheme.Scheme, defaulter{}), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
	}
	return server.ListenAndServeTLS(filepath.Join(certificates, "tls.crt"), filepath.Join(certificates, "tls.key"))
}

// defaulter makes podshare's change to a pod that consumes the share rules, the way that controller-runtime's documentation shows: on
// the typed pod, whose difference from the one before becomes the patch. It reads no annotation and checks nothing.
type defaulter struct{}

// Default implements admission.Defaulter.
func (defaulter) Default(_ context.Context, pod *corev1.Pod) error {
	const share, path = "podshare-rules", "/podshare/rules"
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: share, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: share, ReadOnly: true},
	}}, corev1.Volume{Name: "podshare--no-token", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{}}})
	mount := corev1.VolumeMount{Name: share, MountPath: path, ReadOnly: true}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		c.VolumeMounts = append(c.VolumeMounts, mount)
		c.Env = append(c.Env, corev1.EnvVar{Name: "PODSHARE_RULES_DIR", Value: path}, corev1.EnvVar{Name: "PYTHONPATH", Value: "/app:" + path})
	}
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{
		Name: "podshare-agent", Image: "ghcr.io/podshare/podshare-agent:v0.1.0", ImagePullPolicy: corev1.PullIfNotPresent,
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways), Command: []string{"/podshare-agent"}, Args: []string{"run", "--consume=rules:" + path},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/podshare-agent", "check"}}},
			PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 2,
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true),
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		VolumeMounts: []corev1.VolumeMount{mount, {Name: "podshare--no-token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}},
	})
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels["podshare.dev/injected"] = strconv.FormatBool(true)
	pod.Annotations["podshare.dev/status"] = `{"shares":[{"name":"rules","role":"consumer","claim":"podshare-rules","path":"/podshare/rules"}]}`
	return nil
}
