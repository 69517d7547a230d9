package config

import (
	"errors"
	"regexp"
)

// The fields of the section agent.

// imagePattern is the shape of an image's reference: a registry's host and port, a path, a tag, a digest. What is wrong in detail, the
// container runtime says.
var imagePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*(:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?(@sha256:[a-f0-9]{64})?$`)

func takeImage(c *Config, v string) error {
	c.Agent.Image = v
	if !imagePattern.MatchString(v) {
		return errors.New(`must be the reference of an image, such as "registry.example.com/podshare-agent:v0.1.0"`)
	}
	return nil
}

func takePullPolicy(c *Config, v string) error {
	c.Agent.ImagePullPolicy = v
	return oneOf(v, PullPolicies...)
}

func takeProbe(c *Config, v string) error {
	c.Agent.Probe = ProbeKind(v)
	return oneOf(c.Agent.Probe, ProbeKinds...)
}

func takePort(c *Config, v string) (err error) {
	c.Agent.Port, err = parseNumber(v, 1024, 65535) // lower ones are root's
	return err
}

func takeMetrics(c *Config, v string) error {
	c.Agent.Metrics = v == "true"
	return oneOf(v, "true", "false")
}

func takeCPU(of func(*Agent) *Resources) func(*Config, string) error {
	return func(c *Config, v string) error {
		quantity, err := ParseQuantity(v)
		if err != nil || quantity.Sign() <= 0 {
			return errors.New(`must be an amount of CPU time above 0, such as "10m" or "0.5"`)
		}
		of(&c.Agent).CPU = quantity
		return nil
	}
}

func takeMemory(of func(*Agent) *Resources) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		of(&c.Agent).Memory, err = ParseSize(v)
		return err
	}
}

func takeMinFreePercent(c *Config, v string) (err error) {
	c.Agent.MinFree.Percent, err = parseNumber(v, 0, 100)
	return err
}

func takeMinFreeBytes(c *Config, v string) (err error) {
	c.Agent.MinFree.Bytes, err = ParseSize(v)
	return err
}

func takeMinFreeInodes(c *Config, v string) (err error) {
	c.Agent.MinFree.Inodes, err = parseNumber(v, 0, 1_000_000_000)
	return err
}
