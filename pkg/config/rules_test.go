package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/podshare/podshare/pkg/config"
)

func TestCheckMountPath(t *testing.T) {
	for _, path := range []string{"/podshare/rules", "/data", "/opt/python3.11+x/site_packages", "/run/podshare", "/var/lib/x", "/etcetera", "/...", "/a@b"} {
		assert.NoError(t, config.CheckMountPath(path), path)
	}
	for path, want := range map[string]string{
		"":                             "must be an absolute path",
		"data":                         "must be an absolute path",
		"/":                            "must not be the root directory",
		"//x":                          "must be an absolute path",
		"/x/":                          "must be an absolute path",
		"/x/.":                         `must be in its shortest form, which is "/x"`,
		"/a/../b":                      `must be in its shortest form, which is "/b"`,
		"/data/../etc":                 `must be in its shortest form, which is "/etc"`,
		"/a:b":                         "must be an absolute path",
		"/$(HOME)":                     "must be an absolute path",
		"/`id`":                        "must be an absolute path",
		"/a;b":                         "must be an absolute path",
		"/a b":                         "must be an absolute path",
		"/a\n":                         "must be an absolute path",
		"/a\x00b":                      "must be an absolute path",
		"/\u202eb":                     "must be an absolute path",
		"/mödel":                       "must be an absolute path",
		"/" + strings.Repeat("a", 256): "must be an absolute path",
		"/etc":                         "lies in, or over, /etc",
		"/etc/x":                       "lies in, or over, /etc",
		"/usr/local":                   "lies in, or over, /usr",
		"/lib64/x":                     "lies in, or over, /lib64",
		"/proc/self/root/data":         "lies in, or over, /proc",
		"/dev/shm":                     "lies in, or over, /dev",
		"/podshare-agent/x":            "lies in, or over, /podshare-agent",
		"/run/podshare-agent/x":        "lies in, or over, /run/podshare-agent",
		"/run":                         "lies in, or over, /run/secrets/kubernetes.io/serviceaccount",
		"/var":                         "lies in, or over, /var/run/secrets/kubernetes.io/serviceaccount",
		"/var/run/secrets/kubernetes.io/serviceaccount/token": "lies in, or over, /var/run/secrets/kubernetes.io/serviceaccount",
	} {
		assert.ErrorContains(t, config.CheckMountPath(path), want, path)
	}
}

func TestParseSize(t *testing.T) {
	for _, size := range []string{"1", "500Mi", "10Gi", "1.5Gi", "1e9", "7Ei"} {
		_, err := config.ParseSize(size)
		assert.NoError(t, err, size)
	}
	const whole = `must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"`
	for size, want := range map[string]string{
		"": whole, "-1Gi": whole, "0": whole, "0Gi": whole, "10GB": whole, "NaN": whole, "0.5": whole, "100m": whole,
		" 1Gi": whole, "1Gi\n": whole, "1e999999999": whole, "1.0000000001Gi": whole,
		"1e30": "must be less than 8Ei", "8Ei": "must be less than 8Ei",
	} {
		_, err := config.ParseSize(size)
		assert.EqualError(t, err, want, size)
	}
}

func TestCheckStorageClass(t *testing.T) {
	assert.NoError(t, config.CheckStorageClass("nfs.example.com"))
	for _, class := range []string{"", "NFS", "a_b", "-a", strings.Repeat("a", 254)} {
		assert.ErrorContains(t, config.CheckStorageClass(class), "must be the name of a StorageClass", class)
	}
}
