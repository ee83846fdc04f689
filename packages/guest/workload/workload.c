/* The loop of the workload: lines in, replies out. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

void text_add(struct text *text, const char *bytes, size_t length)
{
	if (text->length + length + 1 > text->room) {
		text->room = 2 * (text->length + length + 1);
		text->bytes = realloc(text->bytes, text->room);
		if (!text->bytes)
			abort();
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = 0;
}

void text_print(struct text *text, const char *format, ...)
{
	char line[512];
	va_list rest;

	va_start(rest, format);
	int length = vsnprintf(line, sizeof(line), format, rest);
	va_end(rest);
	text_add(text, line, length < (int)sizeof(line) ? length : (int)sizeof(line) - 1);
}

void text_quote(struct text *text, const char *bytes, size_t length)
{
	text_add(text, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		unsigned char one = bytes[i];
		if (one == '"' || one == '\\')
			text_print(text, "\\%c", one);
		else if (one < 0x20 || one >= 0x7f)
			text_print(text, "\\u%04x", one);
		else
			text_add(text, bytes + i, 1);
	}
	text_add(text, "\"", 1);
}

void say_text(struct text *more, const char *name, const char *bytes, size_t length)
{
	text_print(more, ",\"%s\":", name);
	text_quote(more, bytes, length);
}

void say_number(struct text *more, const char *name, long long value)
{
	text_print(more, ",\"%s\":%lld", name, value);
}

const char *errno_name(int number)
{
	const char *name = number == 0 ? "" : strerrorname_np(number);

	return name ? name : "UNKNOWN";
}

unsigned long bits_of(const char *text, const struct bit *bits)
{
	unsigned long value = 0;
	char *copy = strdup(text), *rest = copy;

	for (char *name; (name = strsep(&rest, ",+")); ) {
		const struct bit *bit = bits;
		while (bit->name && strcmp(bit->name, name) != 0)
			bit++;
		value |= bit->name ? bit->value : strtoul(name, NULL, 0);
	}
	free(copy);
	return value;
}

const struct operation *find_operation(const char *name)
{
	static const struct operation *const tables[] = {
		file_operations, descriptor_operations, network_operations, namespace_operations, capability_operations,
		run_operations, attack_operations,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct operation *one = tables[i]; one->name; one++)
			if (strcmp(one->name, name) == 0)
				return one;
	return NULL;
}

long run_operation(char **words, struct text *reply)
{
	const struct operation *operation = find_operation(words[0]);
	struct text more = { 0 };
	int count = 0;
	long result = -1;

	while (words[count + 1])
		count++;
	errno = EINVAL;
	if (!operation)
		say_text(&more, "usage", "no such operation", 17);
	else if (count < operation->args)
		say_text(&more, "usage", "too few arguments", 17);
	else {
		errno = 0;
		result = operation->run(words + 1, &more);
	}
	int reason = result < 0 ? errno : 0;

	text_print(reply, "{\"op\":");
	text_quote(reply, words[0], strlen(words[0]));
	text_print(reply, ",\"ret\":%ld,\"errno\":%d,\"error\":\"%s\"", result, reason, errno_name(reason));
	if (more.length)
		text_add(reply, more.bytes, more.length);
	text_add(reply, "}", 1);
	free(more.bytes);
	return result;
}

static int hex_digit(char one)
{
	if (one >= '0' && one <= '9')
		return one - '0';
	if (one >= 'A' && one <= 'F')
		return one - 'A' + 10;
	if (one >= 'a' && one <= 'f')
		return one - 'a' + 10;
	return -1;
}

/* In place: the result is never longer. */
static void decode(char *word)
{
	char *to = word;

	for (char *from = word; *from; from++) {
		if (from[0] == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
			*to++ = hex_digit(from[1]) * 16 + hex_digit(from[2]);
			from += 2;
		} else
			*to++ = *from;
	}
	*to = 0;
}

static void answer(const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t put = write(STDOUT_FILENO, bytes, length);
		if (put < 0)
			exit(1);
		bytes += put;
		length -= put;
	}
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	/* What it runs must not read its input, nor keep it. An empty pipe has no path that a rule could name. */
	int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 200), empty[2];
	FILE *lines = fdopen(input, "r");

	if (pipe(empty) != 0)
		return 1;
	dup2(empty[0], STDIN_FILENO);
	close(empty[0]);
	close(empty[1]);
	if (!lines)
		return 1;
	answer("{\"op\":\"ready\",\"ret\":0}\n", 23);
	while ((length = getline(&line, &room, lines)) > 0) {
		char *words[ARGS_MAX + 1] = { 0 }, *rest = line;
		struct text reply = { 0 };
		int count = 0;

		line[strcspn(line, "\n")] = 0;
		for (char *word; count < ARGS_MAX && (word = strsep(&rest, " ")); )
			if (*word) {
				decode(word);
				words[count++] = word;
			}
		if (count == 0)
			continue;
		run_operation(words, &reply);
		text_add(&reply, "\n", 1);
		answer(reply.bytes, reply.length);
		free(reply.bytes);
	}
	return 0;
}
