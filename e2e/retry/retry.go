// Package retry waits for what is not the case yet.
package retry

import (
	"context"
	"fmt"
	"time"
)

// Within tries something every tick until it succeeds, and returns the last error when the time is up.
func Within(ctx context.Context, limit, tick time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", limit, err)
		case <-time.After(tick):
		}
	}
}
