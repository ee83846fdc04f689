/*
 * A process that does what it is told: one operation per line of its input, one JSON object per line of its output.
 * Scenarios run it inside containers to see what is refused; it decides and hides nothing.
 *
 * A line is an operation's name and its arguments, separated by blanks; in an argument, %20 is a blank and so on.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#define ARGS_MAX 256
#define ERRNO_MAX 134

/* Text that grows; always zero-terminated once something was added. */
struct text {
	char *bytes;
	size_t length;
	size_t room;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As a JSON string, with its quotes. */
void text_quote(struct text *text, const char *bytes, size_t length);

/* What an operation has to say besides its result: `,"name":value` for each. */
void say_text(struct text *more, const char *name, const char *bytes, size_t length);
void say_number(struct text *more, const char *name, long long value);

/* Returns the result, 0 or more; or -1, with the reason in errno. `args` ends with NULL. */
typedef long operation_fn(char **args, struct text *more);

struct operation {
	const char *name;
	int args; /* how many it needs at least */
	operation_fn *run;
};

extern const struct operation file_operations[], descriptor_operations[], network_operations[],
	namespace_operations[], capability_operations[], run_operations[], attack_operations[];

/* NULL where there is none of that name. */
const struct operation *find_operation(const char *name);
/* Runs one operation with its arguments and adds its reply, a JSON object, to the text; returns the result. */
long run_operation(char **words, struct text *reply);

const char *errno_name(int number);
/* "r", "w" or "rw", and after a plus sign each: creat, excl, trunc, append, path, nofollow, directory, tmpfile, cloexec. */
int open_flags(const char *text);
/* Reads from the descriptor to its end, 64 KiB at most, and says it as "data". */
void say_content(struct text *more, int descriptor);
/* A number out of a comma-separated list of names of bits, or digits. */
struct bit {
	const char *name;
	unsigned long value;
};
unsigned long bits_of(const char *text, const struct bit *bits);

#endif
