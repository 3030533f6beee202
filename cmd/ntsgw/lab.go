package main

import (
	"context"
	"errors"
)

func labVerb(ctx context.Context, t terminal, args []string) error {
	return errors.New("not here yet")
}
