package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

func TestAFileThatSaysEverything(t *testing.T) {
	c, err := config.Parse("config.yaml", []byte(`
apiVersion: config.podshare.dev/v1alpha1
kind: PodshareConfig
mounts:
  root: /srv/shares
  allowed: [/data, /opt/models]
defaults:
  size: 5Gi
  storageClass: nfs
  readiness: none
limits:
  sharesPerPod: 3
  maxSize: 50Gi
  storageClasses: [nfs, cephfs]
  sharesPerNamespace: 20
  producers: ["editors/*", "*/rule-editor"]
agent:
  image: registry.example.com:5000/mirror/podshare-agent:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  imagePullPolicy: Always
  probe: httpGet
  port: 9999
  metrics: true
  resources:
    requests: {cpu: 5m, memory: 24Mi}
    limits: {cpu: 1, memory: 48Mi}
  minFree: {percent: 10, bytes: 5Gi, inodes: 500}
`))
	require.NoError(t, err)
	limit := resource.MustParse("50Gi")
	assert.Equal(t, &config.Config{
		Mounts:   config.Mounts{Root: "/srv/shares", Allowed: []string{"/data", "/opt/models"}},
		Defaults: config.Defaults{Size: resource.MustParse("5Gi"), StorageClass: "nfs", Readiness: api.ReadinessNone},
		Limits: config.Limits{SharesPerPod: 3, MaxSize: &limit, StorageClasses: []string{"nfs", "cephfs"},
			SharesPerNamespace: 20, Producers: []string{"editors/*", "*/rule-editor"}},
		Agent: config.Agent{
			Image: "registry.example.com:5000/mirror/podshare-agent:v1@sha256:" +
				"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			ImagePullPolicy: "Always", Probe: config.ProbeHTTPGet, Port: 9999, Metrics: true,
			Requests: config.Resources{CPU: resource.MustParse("5m"), Memory: resource.MustParse("24Mi")},
			Limits:   config.Resources{CPU: resource.MustParse("1"), Memory: resource.MustParse("48Mi")},
			MinFree:  config.MinFree{Percent: 10, Bytes: resource.MustParse("5Gi"), Inodes: 500},
		},
	}, c)
	assert.True(t, c.AllowsPath("/srv/shares/rules"))
	assert.True(t, c.AllowsPath("/data/rules"))
	assert.False(t, c.AllowsPath("/database"))
	assert.True(t, c.AllowsProducer("editors", "default"))
	assert.True(t, c.AllowsProducer("shop", "rule-editor"))
	assert.False(t, c.AllowsProducer("shop", "default"))
	assert.True(t, config.Default().AllowsProducer("shop", "default"))
}

func TestAFileThatSaysNothingButItsVersionIsTheDefault(t *testing.T) {
	c, err := config.Parse("config.yaml", []byte("apiVersion: config.podshare.dev/v1alpha1\n"))
	require.NoError(t, err)
	assert.Equal(t, config.Default(), c)
}

func TestEveryMistakeIsReportedWithItsLine(t *testing.T) {
	_, err := config.Parse("config.yaml", []byte(`apiVersion: config.podshare.dev/v2
mounts:
  root: /etc/shares
  allowed:
  - /data
  - relative
  - /a:b
  root: /podshare
defaults:
  size: 10GB
  storageclass: nfs
  readiness: shell
limits:
  sharesPerPod: many
  maxSize:
  storageClasses: nfs
  sharesPerNamespace: 0
  producers: [editors, "shop/[a-z]", "Shop/*"]
policy: {}
agent:
  image: podshare agent
  imagePullPolicy: Sometimes
  probe: tcp
  port: 80
  metrics: yes
  resources:
    requests: {cpu: 0, memory: lots}
    limits: 100m
  minFree: {percent: 101, bytes: 5%, inodes: -1}
`))
	require.Error(t, err)
	const systemDirs = "/etc, /usr, /bin, /sbin, /lib, /lib32, /lib64, /libx32, /proc, /sys, /dev, " +
		"/run/secrets/kubernetes.io/serviceaccount, /var/run/secrets/kubernetes.io/serviceaccount, " +
		"/podshare-agent, /run/podshare-agent, /var/run/podshare-agent"
	const path = `must be an absolute path of letters, digits and . _ - + @ between slashes, such as "/data/rules"`
	assert.Equal(t, `config.yaml:1: apiVersion: "config.podshare.dev/v2" must be one of ["config.podshare.dev/v1alpha1"]
config.yaml:3: mounts.root: "/etc/shares" lies in, or over, /etc: a share is mounted outside the system's directories (`+systemDirs+`)
config.yaml:6: mounts.allowed: "relative" `+path+`
config.yaml:7: mounts.allowed: "/a:b" `+path+`
config.yaml:8: mounts.root: stands twice
config.yaml:10: defaults.size: "10GB" must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"
config.yaml:11: "defaults.storageclass": unknown field; allowed here: readiness, size, storageClass
config.yaml:12: defaults.readiness: "shell" must be one of ["sidecar" "container" "none"]
config.yaml:14: limits.sharesPerPod: "many" must be a whole number from 1 to 1000
config.yaml:15: limits.maxSize: must be a single value; leave the line out for the default
config.yaml:16: limits.storageClasses: must be a list; leave the line out for the default
config.yaml:17: limits.sharesPerNamespace: "0" must be a whole number from 1 to 100000
config.yaml:18: limits.producers: "editors" must be "namespace/service-account", where * stands for any characters and ? for one, such as "shop/*" or "*/rule-editor"
config.yaml:18: limits.producers: "shop/[a-z]" must be "namespace/service-account", where * stands for any characters and ? for one, such as "shop/*" or "*/rule-editor"
config.yaml:18: limits.producers: "Shop/*" must be "namespace/service-account", where * stands for any characters and ? for one, such as "shop/*" or "*/rule-editor"
config.yaml:19: "policy": unknown field; allowed here: agent, apiVersion, defaults, kind, limits, mounts
config.yaml:21: agent.image: "podshare agent" must be the reference of an image, such as "registry.example.com/podshare-agent:v0.1.0"
config.yaml:22: agent.imagePullPolicy: "Sometimes" must be one of ["IfNotPresent" "Always" "Never"]
config.yaml:23: agent.probe: "tcp" must be one of ["exec" "httpGet"]
config.yaml:24: agent.port: "80" must be a whole number from 1024 to 65535
config.yaml:25: agent.metrics: "yes" must be one of ["true" "false"]
config.yaml:27: agent.resources.requests.cpu: "0" must be an amount of CPU time above 0, such as "10m" or "0.5"
config.yaml:27: agent.resources.requests.memory: "lots" must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"
config.yaml:28: agent.resources.limits: must be a mapping of cpu, memory
config.yaml:29: agent.minFree.percent: "101" must be a whole number from 0 to 100
config.yaml:29: agent.minFree.bytes: "5%" must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"
config.yaml:29: agent.minFree.inodes: "-1" must be a whole number from 0 to 1000000000`, err.Error())
}

func TestAFileThatIsNoConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"an empty file":             {"", `c.yaml:1: the file is empty: apiVersion must be "config.podshare.dev/v1alpha1"`},
		"only comments":             {"# later\n", `c.yaml:1: the file is empty: apiVersion must be "config.podshare.dev/v1alpha1"`},
		"a list":                    {"- a\n", `c.yaml:1: must be a mapping that begins with apiVersion: config.podshare.dev/v1alpha1`},
		"no version":                {"limits: {sharesPerPod: 2}\n", `c.yaml:1: apiVersion: is missing; must be "config.podshare.dev/v1alpha1"`},
		"a section that is a value": {"apiVersion: config.podshare.dev/v1alpha1\nlimits: 3\n", `c.yaml:2: limits: must be a mapping of maxSize, producers, sharesPerNamespace, sharesPerPod, storageClasses`},
		"two documents":             {"apiVersion: config.podshare.dev/v1alpha1\n---\na: b\n", `c.yaml:2: a second document: the file must be one YAML document`},
		"a default over the limit": {
			"apiVersion: config.podshare.dev/v1alpha1\nlimits:\n  maxSize: 500Mi\n",
			`c.yaml:3: defaults.size: "1Gi" must be at most limits.maxSize, "500Mi"`,
		},
		"a request over its limit": {
			"apiVersion: config.podshare.dev/v1alpha1\nagent:\n  resources:\n    limits: {cpu: 5m, memory: 64Mi}\n",
			`c.yaml:4: agent.resources.requests.cpu: "10m" must be at most agent.resources.limits.cpu, "5m"`,
		},
		"a default class that is not allowed": {
			"apiVersion: config.podshare.dev/v1alpha1\ndefaults: {storageClass: a}\nlimits: {storageClasses: [b, c]}\n",
			`c.yaml:2: defaults.storageClass: "a" must be one of limits.storageClasses, ["b" "c"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(test.file))
			assert.EqualError(t, err, test.want)
		})
	}
	t.Run("broken YAML names its line", func(t *testing.T) {
		_, err := config.Parse("c.yaml", []byte("apiVersion: a\n\tb: c\n"))
		assert.ErrorContains(t, err, "c.yaml:1: not YAML: yaml: line 2:")
	})
}

func TestLoad(t *testing.T) {
	c, err := config.Load("")
	require.NoError(t, err, "no file is no mistake")
	assert.Equal(t, config.Default(), c)

	_, err = config.Load(filepath.Join(t.TempDir(), "absent.yaml"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "absent.yaml")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("apiVersion: config.podshare.dev/v1alpha1\nlimits: {sharesPerPod: 3, maxSize: 1e9}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		if c != nil && config.CheckMountPath(c.MountPath("rules")) != nil {
			t.Fatalf("accepted root %q", c.Mounts.Root)
		}
	})
}

// FuzzParseSize: a size that is accepted is one that a claim can ask for, and is the same when it is read again.
func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"1Gi", "0", "-1Gi", "10GB", "1e30", "1e999999999", "NaN", "8Ei", "1.5Gi", "0.1", "9223372036854775807", "1E"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := config.ParseSize(text)
		if err != nil {
			return
		}
		if size.Sign() <= 0 || size.Value() <= 0 {
			t.Fatalf("%q is %s", text, size.String())
		}
		again, err := config.ParseSize(size.String())
		if err != nil || again.Cmp(size) != 0 {
			t.Fatalf("%q is %s, which is %s: %v", text, size.String(), again.String(), err)
		}
	})
}
