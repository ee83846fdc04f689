/* The program whose start kernel-meter.c measures: no C library, so that its first instruction is that of the program. */
static long call(long number, long a, const void *b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

void _start(void)
{
	unsigned long low, high, now;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	now = high << 32 | low;
	call(1, 3, &now, sizeof(now));
	call(60, 0, 0, 0);
	__builtin_unreachable();
}
