/* Reads cases (key, signature, length in one byte, message) from standard input
 * and writes a verdict for each: 0 or 1. */
#include <stdio.h>

#include "../../src/ntsgw_node.h"

int main(void) {
  static uint8_t head[97], message[256];
  while (fread(head, 1, sizeof head, stdin) == sizeof head) {
    ntsgw_span pieces[3];
    size_t n = head[96];
    if (fread(message, 1, n, stdin) != n) return 2;
    pieces[0].p = message;
    pieces[0].n = n / 3;
    pieces[1].p = message + n / 3;
    pieces[1].n = 0;
    pieces[2].p = message + n / 3;
    pieces[2].n = n - n / 3;
    putchar(ntsgw_ed25519(head, head + 32, pieces, 3) ? 1 : 0);
  }
  return 0;
}
