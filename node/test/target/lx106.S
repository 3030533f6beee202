/* Start-up for the ESP8266's core in QEMU (machine sim). */
  .section .reset, "ax"
  .global _start
_start:
  j begin
  .align 4
  .literal_position
begin:
  movi a1, stack_top
  movi a2, bss_begin
  movi a3, bss_end
  movi a4, 0
1:
  bgeu a2, a3, 2f
  s32i a4, a2, 0
  addi a2, a2, 4
  j 1b
2:
  movi a0, main
  callx0 a0
  mov a3, a2
  movi a2, 1
  simcall
3:
  j 3b

  .text
  .align 4
  .literal_position
  .global target_write
  .type target_write, @function
target_write: /* (const char *, size_t) */
  mov a5, a3
  mov a4, a2
  movi a3, 1
  movi a2, 4
  simcall
  ret

  .align 4
  .global target_count
  .type target_count, @function
target_count:
  rsr a2, ccount
  ret

  .align 4
  .global target_sp
  .type target_sp, @function
target_sp:
  mov a2, a1
  ret
