// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

void control_add(struct strbuf *out, const char *key, const char *value)
{
	const char *plain;

	strbuf_addf(out, "=%s ", key);
	for (;;) {
		for (plain = value; *value && !iscntrl((unsigned char)*value) && *value != '\\';)
			value++;
		strbuf_add(out, plain, value - plain);
		if (!*value)
			break;
		strbuf_addf(out, "\\x%02x", (unsigned char)*value++);
	}
	strbuf_add(out, "\n", 1);
}

void control_addf(struct strbuf *out, const char *key, const char *fmt, ...)
{
	char value[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	control_add(out, key, value);
}

int control_parse_request(char *line, size_t len, const char **verb, const char **arg,
			  struct errmsg *e)
{
	char *blank;
	size_t i;

	for (i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			return errmsg_set(e, "not printable ASCII");
	line[len] = '\0';
	*verb = line;
	*arg = "";
	blank = strchr(line, ' ');
	if (blank) {
		*blank++ = '\0';
		*arg = blank;
	}
	if (!**verb || (blank && !**arg) || strchr(*arg, ' '))
		return errmsg_set(e, "not a verb and at most one argument");
	return 0;
}

void control_add_escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (*text > ' ' && *text <= '~' && *text != '\\')
			strbuf_add(out, text, 1);
		else
			strbuf_addf(out, "\\x%02x", (unsigned char)*text);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void control_unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] == 'x' && hex_digit(text[2]) >= 0 &&
		    hex_digit(text[3]) >= 0 && (text[2] != '0' || text[3] != '0')) {
			*out++ = hex_digit(text[2]) << 4 | hex_digit(text[3]);
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

int control_parse_answer(char *line, char **key, char **value)
{
	int kind;
	char *p;

	if (!strcmp(line, "ok"))
		return CONTROL_OK;
	if (line[0] == '=') {
		kind = CONTROL_VALUE;
		p = line + 1;
	} else if (!strncmp(line, "error ", 6)) {
		kind = CONTROL_ERROR;
		p = line + 6;
	} else {
		return -1;
	}
	*key = p;
	p = strchr(p, ' ');
	if (!p || p == *key)
		return -1;
	*p++ = '\0';
	*value = p;
	control_unescape(p);
	return kind;
}

int control_parse_greeting(const char *line)
{
	size_t len = strlen(CONTROL_GREETING);
	unsigned int version = 0;

	if (strncmp(line, CONTROL_GREETING, len) || line[len] != ' ')
		return -1;
	for (line += len + 1; isdigit((unsigned char)*line) && version < 1000000; line++)
		version = version * 10 + *line - '0';
	return version > 0 && *line == ' ' ? (int)version : -1;
}
