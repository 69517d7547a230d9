package main

import "github.com/spf13/cobra"

func newWebhookCommand(log *logOptions) *cobra.Command { return &cobra.Command{Use: "webhook"} }
