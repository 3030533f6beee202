/* Start-up for Cortex-M machines of QEMU (mps2-an386, mps2-an505), with
 * semihosting. Counts are SysTick's: 25 MHz, so 0.8 a nanosecond-of-32 with
 * -icount shift=5, which makes an instruction 32 ns. */
#include <stddef.h>
#include <stdint.h>

extern uint32_t stack_top, bss_begin, bss_end;
int main(void);
void reset(void);
static void fault(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};

static int semihost(int op, const void *arg) {
  register int r0 __asm__("r0") = op;
  register const void *r1 __asm__("r1") = arg;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void target_write(const char *p, size_t n) {
  while (n--) semihost(3, p++);
}

static uint32_t total, last;

uint32_t target_count(void) {
  volatile uint32_t *systick = (volatile uint32_t *)0xe000e010;
  uint32_t now = 0xffffff - systick[2];
  total += (now - last) & 0xffffff;
  last = now;
  return total;
}

uint32_t target_sp(void) {
  uint32_t sp;
  __asm__ volatile("mov %0, sp" : "=r"(sp));
  return sp;
}

static void leave(int code) {
  uint32_t block[2] = {0x20026, (uint32_t)code};
  semihost(0x20, block);
  for (;;) {
  }
}

static void fault(void) {
  target_write("fault\n", 6);
  leave(1);
}

void reset(void) {
  volatile uint32_t *systick = (volatile uint32_t *)0xe000e010;
  uint32_t *p;
  for (p = &bss_begin; p < &bss_end; p++) *p = 0;
  systick[1] = 0xffffff;
  systick[2] = 0;
  systick[0] = 5;
  leave(main());
}
