package suite_test

import "testing"

// TestAProducerRunsCodeInItsConsumersAsTheDocumentationShows runs the commands of docs/security.md.
func TestAProducerRunsCodeInItsConsumersAsTheDocumentationShows(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	producer := newPod(namespace, "rule-editor", map[string]string{"produce": "rules"})
	consumer := newPod(namespace, "price-service", map[string]string{"consume": "rules"})
	create(t, producer, consumer)
	awaitReady(t, producer, consumer)
	typePage(t, "docs/security.md", "--namespace shop", "--namespace "+namespace)
}
