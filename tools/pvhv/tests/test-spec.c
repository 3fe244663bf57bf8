// SPDX-License-Identifier: GPL-2.0
#include "devices.h"
#include "spec.h"
#include "unit.h"

static void test_disks(void)
{
	static const struct {
		const char *text;
		const char *path;	/* NULL: an error */
		bool readonly, cached;
		u32 queues;
		const char *serial;	/* or a part of the error */
	} cases[] = {
		{ "path=/a", "/a", false, false, 0, "" },
		{ "path=/a,ro", "/a", true, false, 0, "" },
		{ "ro,path=a b", "a b", true, false, 0, "" },
		{ "path=a,,b,,,ro", "a,b,", true, false, 0, "" },
		{ "path=a=b,cache=writeback", "a=b", false, true, 0, "" },
		{ "path=a,cache=none,queues=24,serial=X-1_2.3", "a", false, false, 24, "X-1_2.3" },
		{ "serial=0123456789abcdef0123456789abcdef,path=a", "a", false, false, 0,
		  "0123456789abcdef0123456789abcdef" },
		{ "", NULL, false, false, 0, "give path=FILE" },
		{ "ro", NULL, false, false, 0, "give path=FILE" },
		{ "/a", NULL, false, false, 0, "'/a' is not an option of a disk: give path=" },
		{ "path=", NULL, false, false, 0, "path= is empty" },
		{ "path=a,", "a", false, false, 0, "" },
		{ "path=a,size=1", NULL, false, false, 0, "'size' is not an option" },
		{ "path=a,cache=maybe", NULL, false, false, 0, "none or writeback" },
		{ "path=a,queues=0", NULL, false, false, 0, "from 1 to 24" },
		{ "path=a,queues=25", NULL, false, false, 0, "from 1 to 24" },
		{ "path=a,queues=-1", NULL, false, false, 0, "from 1 to 24" },
		{ "path=a,serial=", NULL, false, false, 0, "1 to 32" },
		{ "path=a,serial=a b", NULL, false, false, 0, "1 to 32" },
		{ "path=a,serial=-a", NULL, false, false, 0, "1 to 32" },
		{ "path=a,serial=0123456789abcdef0123456789abcdef0", NULL, false, false, 0,
		  "1 to 32" },
		{ "path=a,ro=1", NULL, false, false, 0, "ro has no value" },
		{ "path=a,rw", NULL, false, false, 0, "without ro" },
		{ "path=a,path=b", NULL, false, false, 0, "path is given twice" },
		{ "ro,path=a,ro", NULL, false, false, 0, "ro is given twice" },
		{ "path=a,queues=1,ro,queues=1", NULL, false, false, 0, "queues is given twice" },
	};
	struct disk_spec s, again;
	struct strbuf text = { 0 };
	struct errmsg e;
	char *longest;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc = disk_spec_parse(&s, cases[i].text, &e);

		CHECK(!rc == !!cases[i].path, "%s: %d", cases[i].text, rc);
		if (rc) {
			CHECK_TEXT(e.text, cases[i].serial);
			continue;
		}
		CHECK(!strcmp(s.path, cases[i].path) && s.readonly == cases[i].readonly &&
		      s.cached == cases[i].cached && s.queues == cases[i].queues &&
		      !strcmp(s.serial, cases[i].serial), "%s: another disk", cases[i].text);
		text.len = 0;
		disk_spec_format(&s, &text);
		CHECK(!disk_spec_parse(&again, text.data, &e) && !memcmp(&s, &again, sizeof(s)),
		      "%s: formatted as %s", cases[i].text, text.data);
	}
	longest = xzalloc(2 * PATH_MAX);
	memset(longest, 'x', 2 * PATH_MAX - 1);
	memcpy(longest, "path=", 5);
	CHECK(disk_spec_parse(&s, longest, &e) && strstr(e.text, "too long"), "a long path");
	free(longest);
	strbuf_free(&text);
}

static void test_nets(void)
{
	static const struct {
		const char *text;
		const char *error;	/* NULL: none */
	} cases[] = {
		{ "", NULL }, { "bridge=br0", NULL }, { "ifname=web-0.1_x", NULL },
		{ "bridge=br0,ifname=web,mac=02:0a:Bc:00:00:01,queues=8,mtu=9000", NULL },
		{ "mtu=68", NULL }, { "mtu=65535", NULL },
		{ "mtu=67", "from 68" }, { "mtu=65536", "to 65535" }, { "queues=9", "to 8" },
		{ "bridge=", "1 to 15" }, { "ifname=0123456789abcdef", "1 to 15" },
		{ "ifname=a/b", "1 to 15" }, { "ifname=..", "1 to 15" },
		{ "ifname=vif%d", "1 to 15" },
		{ "mac=02:00:00:00:00", "give an address" },
		{ "mac=02:00:00:00:00:00:01", "give an address" },
		{ "mac=02:00:00:00:00:0g", "give an address" },
		{ "mac=0200:00:00:00:001", "give an address" },
		{ "mac=02-00-00-00-00-01", "give an address" },
		{ "mac=03:00:00:00:00:01", "multicast" },
		{ "mac=ff:ff:ff:ff:ff:ff", "multicast" },
		{ "mac=00:00:00:00:00:00", "no address" },
		{ "br0", "'br0' is not an option" }, { "vlan=3", "'vlan' is not an option" },
		{ ",bridge=br0", "is empty" },
		{ "mtu=1500,bridge=br0,mtu=1500", "mtu is given twice" },
	};
	struct net_spec s, again;
	struct strbuf text = { 0 };
	struct errmsg e;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc = net_spec_parse(&s, cases[i].text, &e);

		CHECK(!rc == !cases[i].error, "%s: %d", cases[i].text, rc);
		if (rc) {
			CHECK_TEXT(e.text, cases[i].error);
			continue;
		}
		text.len = 0;
		strbuf_add(&text, "", 0);
		net_spec_format(&s, &text);
		CHECK(!net_spec_parse(&again, text.len ? text.data : "", &e) &&
		      !memcmp(&s, &again, sizeof(s)), "%s: formatted as %s", cases[i].text,
		      text.data);
	}
	CHECK(!net_spec_parse(&s, "mac=02:0a:Bc:00:00:01", &e) && s.mac[2] == 0xbc &&
	      s.mac[5] == 1, "a MAC address");
	strbuf_free(&text);
}

static void test_macs(void)
{
	u8 mac[300][6];
	char name[16];
	int i, k;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "guest-%d", i / 3);
		mac_derive(mac[i], "salt", name, i % 3);
		CHECK((mac[i][0] & 3) == 2, "address %d is not local, or multicast", i);
		for (k = 0; k < i; k++)
			CHECK(memcmp(mac[i], mac[k], 6), "addresses %d and %d are one", i, k);
	}
	mac_derive(mac[1], "salt", "guest-0", 0);
	CHECK(!memcmp(mac[0], mac[1], 6), "another address the second time");
	mac_derive(mac[1], "other", "guest-0", 0);
	CHECK(memcmp(mac[0], mac[1], 6), "the same address on another host");
}

static void test_names(void)
{
	static const struct {
		u32 index;
		const char *name;
	} cases[] = {
		{ 0, "pvda" }, { 25, "pvdz" }, { 26, "pvdaa" }, { 51, "pvdaz" }, { 52, "pvdba" },
		{ 701, "pvdzz" }, { 702, "pvdaaa" },
	};
	struct device d = { .class = PVHV_CLASS_BLOCK };
	char name[DEVICE_NAME_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		d.index = cases[i].index;
		device_name(&d, name);
		CHECK(!strcmp(name, cases[i].name), "disk %u is %s", d.index, name);
	}
}

void test_spec(void)
{
	test_disks();
	test_nets();
	test_macs();
	test_names();
}
