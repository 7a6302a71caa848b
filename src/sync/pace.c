/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pace.h"

enum { TOKEN = 1000 };

struct pace pace_full(unsigned int rate, unsigned int burst, uint64_t now_ms)
{
	return (struct pace){
		.rate = rate,
		.burst = burst,
		.credit = (uint64_t)burst * TOKEN,
		.filled = now_ms,
	};
}

bool pace_take(struct pace *pace, uint64_t now_ms)
{
	uint64_t full = (uint64_t)pace->burst * TOKEN;
	uint64_t passed = now_ms > pace->filled ? now_ms - pace->filled : 0;

	/* A rate per second is as many thousandths per millisecond. */
	if (passed >= (full - pace->credit) / pace->rate + 1)
		pace->credit = full;
	else
		pace->credit += passed * pace->rate;
	pace->filled = now_ms > pace->filled ? now_ms : pace->filled;
	if (pace->credit < TOKEN)
		return false;
	pace->credit -= TOKEN;
	return true;
}
