package manifests_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/e2e/install"
)

// storageRecipes are the files of manifests/storage, by their names.
func storageRecipes(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(manifests, "storage", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	recipes := map[string][]*unstructured.Unstructured{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		recipes[filepath.Base(file)], err = install.Objects(content)
		require.NoError(t, err, file)
	}
	return recipes
}

func storageDocument(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(manifests, "..", "docs", "storage.md"))
	require.NoError(t, err)
	return string(content)
}

func TestTheAPIServerAcceptsEveryStorageRecipe(t *testing.T) {
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}} // that of the claims
	require.NoError(t, client.IgnoreAlreadyExists(api.Create(t.Context(), shop)))
	strict := client.WithFieldValidation(api, metav1.FieldValidationStrict)
	for file, objects := range storageRecipes(t) {
		for _, object := range objects {
			t.Run(file+"/"+object.GetKind()+"/"+object.GetName(), func(t *testing.T) {
				warnings.take()
				require.NoError(t, strict.Create(t.Context(), object, client.DryRunAll))
				assert.Empty(t, warnings.take())
			})
		}
	}
}

func TestTheAPIServerAcceptsTheQuotaOfTheDocument(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindAllStringSubmatch(storageDocument(t), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		objects, err := install.Objects([]byte(block[1]))
		require.NoError(t, err)
		objects[0].SetNamespace("default")
		strict := client.WithFieldValidation(api, metav1.FieldValidationStrict)
		require.NoError(t, strict.Create(t.Context(), objects[0], client.DryRunAll), block[1])
	}
}

func TestTheAPIServerRefusesAFieldThatAStorageClassDoesNotHave(t *testing.T) {
	class := storageRecipes(t)["nfs.yaml"][0]
	class.Object["mountOption"] = []any{"actimeo=1"}
	err := client.WithFieldValidation(api, metav1.FieldValidationStrict).Create(t.Context(), class, client.DryRunAll)
	assert.ErrorContains(t, err, `unknown field "mountOption"`, "it does look")
}

func TestVolumesMadeByHandAreBoundToTheirClaims(t *testing.T) {
	for _, file := range []string{"premade-nfs.yaml", "premade-host-path.yaml"} {
		objects := storageRecipes(t)[file]
		require.Len(t, objects, 2, file)
		volume, claim := objects[0], objects[1]
		reference, _, err := unstructured.NestedStringMap(volume.Object, "spec", "claimRef")
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"namespace": claim.GetNamespace(), "name": claim.GetName()}, reference, file)
		name, _, err := unstructured.NestedString(claim.Object, "spec", "volumeName")
		require.NoError(t, err)
		assert.Equal(t, volume.GetName(), name, file)
		assert.True(t, strings.HasPrefix(claim.GetName(), "podshare-"), "%s: %s is the claim of no share", file, claim.GetName())
	}
}

func TestNetworkFileSystemsAreMountedSoThatChangesAreSeenSoon(t *testing.T) {
	recommended := regexp.MustCompile("(?s)```yaml\nmountOptions:.*?```").FindString(storageDocument(t))
	var documented struct{ MountOptions []string }
	require.NoError(t, yaml.Unmarshal([]byte(strings.Trim(strings.TrimPrefix(recommended, "```yaml"), "`")), &documented))
	require.NotEmpty(t, documented.MountOptions, "docs/storage.md shows none")

	soon := []string{"actimeo=1", "lookupcache=pos"}
	tests := map[string]struct {
		file  string
		path  []string // of the options in the recipe's first object
		wants []string
	}{
		"any NFS server, as the document says":      {"nfs.yaml", []string{"mountOptions"}, documented.MountOptions},
		"a volume made by hand, as it says as well": {"premade-nfs.yaml", []string{"spec", "mountOptions"}, documented.MountOptions},
		"EFS, whose helper adds the others":         {"efs.yaml", []string{"mountOptions"}, soon},
		"Azure Files, whose driver does":            {"azure-files.yaml", []string{"mountOptions"}, soon},
		"Filestore":                                 {"filestore.yaml", []string{"mountOptions"}, soon},
		"Longhorn, which has its own place for it":  {"longhorn.yaml", []string{"parameters", "nfsOptions"}, soon},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found, _, err := unstructured.NestedFieldNoCopy(storageRecipes(t)[test.file][0].Object, test.path...)
			require.NoError(t, err)
			var options []string
			switch found := found.(type) {
			case string:
				options = strings.Split(found, ",")
			case []any:
				for _, option := range found {
					options = append(options, option.(string))
				}
			}
			assert.Subset(t, options, test.wants)
		})
	}
	assert.Subset(t, documented.MountOptions, soon)
}

func TestTheDocumentNamesEveryStorageRecipeAndNoOther(t *testing.T) {
	var named []string
	for _, match := range regexp.MustCompile(`\.\./manifests/storage/([a-z-]+\.yaml)`).FindAllStringSubmatch(storageDocument(t), -1) {
		named = append(named, match[1])
	}
	slices.Sort(named)
	there := slices.Sorted(maps.Keys(storageRecipes(t)))
	assert.Equal(t, there, slices.Compact(named))
}
