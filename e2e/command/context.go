package command

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Context is that of a program that cleans up before it ends: it is done when the program is told to end. A second Ctrl-C ends the
// program at once.
func Context() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx
}
