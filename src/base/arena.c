/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Well below what malloc() would map page by page. */
	BLOCK_SIZE = 32 * 1024,
	ALIGNMENT = _Alignof(max_align_t),
};

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* of bytes */
	_Alignas(max_align_t) char bytes[];
};

void arena_done(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
}

/* What the block in use has left is lost: pieces are small beside a block. */
static struct arena_block *add_block(struct arena *arena, size_t least)
{
	size_t size = least > BLOCK_SIZE - sizeof(struct arena_block)
			      ? least
			      : BLOCK_SIZE - sizeof(struct arena_block);
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block)
		return NULL;
	*block = (struct arena_block){ .next = arena->blocks, .size = size };
	arena->blocks = block;
	return block;
}

static size_t room(const struct arena *arena)
{
	return arena->blocks ? arena->blocks->size - arena->blocks->used : 0;
}

/* Bytes for a string: next to what was given out last. */
static char *take(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	char *bytes;

	if (room(arena) < size)
		block = add_block(arena, size);
	if (!block)
		return NULL;
	bytes = block->bytes + block->used;
	block->used += size;
	return bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t odd = arena->blocks ? arena->blocks->used % ALIGNMENT : 0;
	void *object;

	/* Without room for that there is none for an object either, and a new block is aligned. */
	if (odd > 0 && room(arena) >= ALIGNMENT - odd)
		arena->blocks->used += ALIGNMENT - odd;
	object = take(arena, size);
	return object ? memset(object, 0, size) : NULL;
}

char *arena_copy(struct arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = take(arena, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

char *arena_append(struct arena *arena, const char *text, const char *more)
{
	size_t length = strlen(text), added = strlen(more);
	struct arena_block *block = arena->blocks;
	char *whole = block && text + length + 1 == block->bytes + block->used
			      ? block->bytes + block->used - length - 1
			      : NULL;

	if (whole && room(arena) >= added) {
		block->used += added;
	} else {
		whole = take(arena, length + added + 1);
		if (!whole)
			return NULL;
		memcpy(whole, text, length + 1);
	}
	memcpy(whole + length, more, added + 1);
	return whole;
}

char *arena_vformat(struct arena *arena, const char *format, va_list arguments)
{
	size_t left = room(arena);
	va_list again;
	char *text;
	int length;

	va_copy(again, arguments);
	text = left > 0 ? arena->blocks->bytes + arena->blocks->used : NULL;
	length = vsnprintf(text, left, format, arguments);
	if (length < 0) {
		text = NULL;
	} else if ((size_t)length < left) {
		arena->blocks->used += (size_t)length + 1;
	} else {
		text = take(arena, (size_t)length + 1);
		if (text)
			(void)vsnprintf(text, (size_t)length + 1, format, again);
	}
	va_end(again);
	return text;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = arena_vformat(arena, format, arguments);
	va_end(arguments);
	return text;
}
