/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of the programs that run on the host: every value has memory of its own, which the sanitizers watch. */
#ifndef AT_HOST_MAPS_H
#define AT_HOST_MAPS_H

#include <stdio.h>
#include <stdlib.h>

#define HOST_BUCKETS 1024

struct host_element {
	struct host_element *next;
	void *value;
	unsigned char key[];
};

static struct host_map {
	const void *map;
	const char *name;
	__u32 key_size, value_size;
	__u32 entries; /* of an array; 0: a hash */
	struct host_element *buckets[HOST_BUCKETS];
} host_maps[32];
static __u32 host_map_count;

static struct host_map *host_map(const void *map)
{
	for (__u32 i = 0; i < host_map_count; i++)
		if (host_maps[i].map == map)
			return &host_maps[i];
	abort();
}

static struct host_element **host_place(struct host_map *map, const void *key)
{
	__u32 hash = 5381;
	struct host_element **place;

	for (__u32 i = 0; i < map->key_size; i++)
		hash = hash * 33 + ((const unsigned char *)key)[i];
	place = &map->buckets[hash % HOST_BUCKETS];
	while (*place && memcmp((*place)->key, key, map->key_size) != 0)
		place = &(*place)->next;
	return place;
}

static void *host_new(struct host_map *map, struct host_element **place, const void *key)
{
	struct host_element *element = malloc(sizeof(*element) + map->key_size);

	if (!element || !(element->value = calloc(1, map->value_size)))
		abort();
	element->next = *place;
	memcpy(element->key, key, map->key_size);
	*place = element;
	return element->value;
}

void *host_lookup(const void *map, const void *key)
{
	struct host_map *known = host_map(map);
	struct host_element **place = host_place(known, key);

	if (*place)
		return (*place)->value;
	/* Every element of an array is there. */
	if (!known->entries || *(const __u32 *)key >= known->entries)
		return 0;
	return host_new(known, place, key);
}

long host_update(const void *map, const void *key, const void *value, __u64 flags)
{
	struct host_map *known = host_map(map);
	struct host_element **place = host_place(known, key);

	if (*place && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!*place)
		host_new(known, place, key);
	memcpy((*host_place(known, key))->value, value, known->value_size);
	return 0;
}

long host_delete(const void *map, const void *key)
{
	struct host_element **place = host_place(host_map(map), key), *gone = *place;

	if (!gone)
		return -2;
	*place = gone->next;
	free(gone->value);
	free(gone);
	return 0;
}

static void host_clear(const void *map)
{
	struct host_map *known = host_map(map);

	for (__u32 i = 0; i < HOST_BUCKETS; i++)
		while (known->buckets[i])
			host_delete(map, known->buckets[i]->key);
}

#define HOST_MAP(map, count) \
	host_maps[host_map_count++] = (struct host_map){ &map, #map, sizeof(*map.key), sizeof(*map.value), count, { 0 } }

/* The first ones are those that user space fills, in the order in which the test numbers them. */
static void host_begin(void)
{
	HOST_MAP(rules, 0);
	HOST_MAP(hints, 0);
	HOST_MAP(names, 65536);
	HOST_MAP(rulesets, 64);
	HOST_MAP(settings, 1);
	HOST_MAP(members, 0);
	HOST_MAP(containers, 1);
	HOST_MAP(members_missed, 1);
	HOST_MAP(counters, AT_COUNTERS);
	HOST_MAP(births, AT_BIRTH_SLOTS);
	HOST_MAP(ring_states, AT_RINGS);
	HOST_MAP(ring_accounts, 0);
	HOST_MAP(ring_account_common, 1);
	HOST_MAP(kubearmor_alert_throttle, 0);
	HOST_MAP(overflow_windows, AT_PROFILES_MAX);
	HOST_MAP(overflow_members, 0);
	HOST_MAP(window_requests, 0);
	HOST_MAP(scratch, AT_SLOTS);
	HOST_MAP(execs, 0);
}

/* From the input: map, key, and the value where one is set. */
static void host_change(bool set)
{
	int number = getchar();
	struct host_map *map;
	unsigned char key[64], value[1024];

	if (number < 0 || number >= (int)host_map_count)
		exit(3);
	map = &host_maps[number];
	if (map->key_size > sizeof(key) || map->value_size > sizeof(value))
		exit(3);
	if (fread(key, map->key_size, 1, stdin) != 1 || (set && fread(value, map->value_size, 1, stdin) != 1))
		exit(3);
	if (set)
		host_update(map->map, key, value, BPF_ANY);
	else
		host_delete(map->map, key);
}

#endif
