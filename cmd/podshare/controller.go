package main

import "github.com/spf13/cobra"

func newControllerCommand(log *logOptions) *cobra.Command { return &cobra.Command{Use: "controller"} }
