/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch_rates.h"

#include <stdbool.h>
#include <string.h>

enum { BITS = 8 };

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	const char *x = json_string_value(json_object_get(a, key));
	const char *y = json_string_value(json_object_get(b, key));

	return x == y || (x && y && strcmp(x, y) == 0);
}

/* The object of a list with the name of this one and, of services, its group. NULL: there is none.
 */
static const json_t *find_same(const json_t *list, const json_t *object)
{
	const json_t *candidate;
	size_t i;

	json_array_foreach(
		list, i, candidate) if (same_text(candidate, object, "name") &&
					same_text(candidate, object, "group")) return candidate;
	return NULL;
}

/* Returns a negative number if it is not known. */
static double rate_of(const json_t *before, const json_t *after, const char *key, double seconds)
{
	const json_t *first = json_object_get(before, key), *last = json_object_get(after, key);
	json_int_t difference = json_integer_value(last) - json_integer_value(first);

	if (!json_is_integer(first) || !json_is_integer(last) || difference < 0 || seconds <= 0)
		return -1;
	return (double)difference / seconds;
}

static json_t *number_or_null(double number)
{
	return number < 0 ? json_null() : json_real(number);
}

/* Returns the packets in a second, negative if not known. */
static double add_rates(json_t *object, const json_t *before, double seconds)
{
	double packets = rate_of(before, object, "packets", seconds);
	double bytes = rate_of(before, object, "bytes", seconds);

	json_object_set_new(object, "packets_per_second", number_or_null(packets));
	json_object_set_new(object, "bits_per_second", number_or_null(bytes * BITS));
	return packets;
}

/* Of those that are known. */
static double sum_of(const json_t *list, const char *key)
{
	const json_t *object;
	double sum = -1;
	size_t i;

	json_array_foreach(list, i, object)
	{
		const json_t *number = json_object_get(object, key);

		if (json_is_real(number))
			sum = (sum < 0 ? 0 : sum) + json_real_value(number);
	}
	return sum;
}

static void add_group(json_t *group, const json_t *before, double seconds)
{
	json_t *members = json_object_get(group, "members"), *member;
	double sum;
	size_t i;

	json_array_foreach(members, i, member)
	{
		const json_t *same = find_same(json_object_get(before, "members"), member);

		(void)add_rates(member, same, seconds);
	}
	sum = sum_of(members, "packets_per_second");
	json_object_set_new(group, "packets_per_second", number_or_null(sum));
	json_object_set_new(
		group, "bits_per_second", number_or_null(sum_of(members, "bits_per_second")));
	json_array_foreach(members, i, member)
	{
		const json_t *packets = json_object_get(member, "packets_per_second");
		bool known = json_is_real(packets) && sum > 0;

		json_object_set_new(member, "traffic",
			known ? json_real(json_real_value(packets) / sum) : json_null());
	}
}

json_t *rates_compute(const json_t *before, const json_t *after, double seconds)
{
	json_t *result = json_deep_copy(after), *object;
	size_t i;

	if (!result)
		return NULL;
	json_object_set_new(result, "seconds", json_real(seconds));
	json_array_foreach(json_object_get(result, "groups"), i, object)
		add_group(object, find_same(json_object_get(before, "groups"), object), seconds);
	json_array_foreach(json_object_get(result, "services"), i, object)(void)
		add_rates(object, find_same(json_object_get(before, "services"), object), seconds);
	return result;
}
