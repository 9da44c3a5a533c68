/*
 * test_resolver.c - what a container is told when it asks for a name, message by message.
 */
#define CT_LAYER "test"
#include "networks.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fcntl.h>
#include <resolv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-resolver-XXXXXX";
static struct network_store *store;
static json_t *endpoints; /* of the container that asks */
static unsigned char answer[NETWORK_DNS_MAX];

/* A network "app" with "web" (also "www") at 10.9.0.2, and "db" (also "www") at 10.9.0.3. */
static int open_store(void **state)
{
    struct ct_error err = {0};
    (void)state;
    memcpy(dir, "/tmp/test-resolver-XXXXXX", sizeof(dir));
    assert_non_null(mkdtemp(dir));
    CT_AUTO_FREE char *records = ct_join(dir, "records");
    CT_AUTO_FREE char *run = ct_join(dir, "run");
    CT_AUTO_FREE char *id = NULL;
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:{s:[{s:s}]}}", "Name", "app", "IPAM", "Config", "Subnet", "10.9.0.0/24");
    store = network_store_open(records, run, &err);
    assert_non_null(store);
    assert_int_equal(network_create(store, body, &id, &err), 0);
    CT_AUTO_JSON json_t *allocations =
        json_pack("{s:{s:{s:s,s:s,s:[ss]},s:{s:s,s:s,s:[s]}}}", "Endpoints", "e1", "Name", "web",
                  "IPAddress", "10.9.0.2", "Aliases", "www", "0123456789ab", "e2", "Name", "db",
                  "IPAddress", "10.9.0.3", "Aliases", "www");
    CT_AUTO_FREE char *name = ct_printf("%s/%s.json", run, id);
    assert_int_equal(ct_json_save_at(AT_FDCWD, name, allocations, &err), 0);
    endpoints = json_pack("{s:{s:s,s:s}}", "app", "Network", "app", "NetworkID", id);
    return 0;
}

static int close_store(void **state)
{
    struct ct_error err = {0};
    (void)state;
    json_decref(endpoints);
    network_store_close(store);
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static int ask(const char *name, int type, size_t room, ns_msg *ret)
{
    unsigned char query[512];
    int length = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, query, sizeof(query));
    assert_true(length > 0);
    int n = network_resolver_answer(store, endpoints, query, (size_t)length, answer, room);
    if (n > 0) {
        assert_int_equal(ns_initparse(answer, n, ret), 0);
        assert_int_equal(memcmp(answer, query, 2), 0);
        assert_int_equal(ns_msg_getflag(*ret, ns_f_qr), 1);
        assert_int_equal(ns_msg_getflag(*ret, ns_f_rcode), ns_r_noerror);
    }
    return n;
}

static void assert_address(ns_msg *message, int i, const char *expected)
{
    ns_rr record;
    char text[INET_ADDRSTRLEN];
    assert_int_equal(ns_parserr(message, ns_s_an, i, &record), 0);
    assert_int_equal(ns_rr_type(record), ns_t_a);
    assert_non_null(inet_ntop(AF_INET, ns_rr_rdata(record), text, sizeof(text)));
    assert_string_equal(text, expected);
}

static void a_name_an_alias_and_a_name_with_its_network_have_the_address(void **state)
{
    static const char *const names[] = {"web", "WEB", "web.app", "0123456789ab",
                                        "0123456789AB.APP"};
    ns_msg message;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(ask(names[i], ns_t_a, NETWORK_DNS_UDP_MAX, &message) > 0);
        assert_int_equal(ns_msg_count(message, ns_s_an), 1);
        assert_address(&message, 0, "10.9.0.2");
    }
}

static void a_shared_alias_has_both_addresses_and_each_comes_first_at_times(void **state)
{
    ns_msg message;
    ns_rr record;
    bool web_first = false, db_first = false;
    (void)state;
    for (int i = 0; i < 64; i++) {
        assert_true(ask("www", ns_t_a, NETWORK_DNS_UDP_MAX, &message) > 0);
        assert_int_equal(ns_msg_count(message, ns_s_an), 2);
        assert_int_equal(ns_parserr(&message, ns_s_an, 0, &record), 0);
        web_first = web_first || ns_rr_rdata(record)[3] == 2;
        db_first = db_first || ns_rr_rdata(record)[3] == 3;
    }
    assert_true(web_first && db_first);
}

static void a_known_name_has_no_other_records_and_that_is_no_error(void **state)
{
    ns_msg message;
    (void)state;
    assert_true(ask("web", ns_t_aaaa, NETWORK_DNS_UDP_MAX, &message) > 0);
    assert_int_equal(ns_msg_count(message, ns_s_an), 0);
}

static void an_address_has_its_name(void **state)
{
    ns_msg message;
    ns_rr record;
    char name[NS_MAXDNAME];
    (void)state;
    assert_true(ask("3.0.9.10.in-addr.arpa", ns_t_ptr, NETWORK_DNS_UDP_MAX, &message) > 0);
    assert_int_equal(ns_parserr(&message, ns_s_an, 0, &record), 0);
    assert_true(ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record),
                                   name, sizeof(name)) > 0);
    assert_string_equal(name, "db.app");
}

static void what_is_not_known_is_for_others(void **state)
{
    ns_msg message;
    (void)state;
    assert_int_equal(ask("example.test", ns_t_a, NETWORK_DNS_UDP_MAX, &message), 0);
    assert_int_equal(ask("web.other", ns_t_a, NETWORK_DNS_UDP_MAX, &message), 0);
    assert_int_equal(ask("4.0.9.10.in-addr.arpa", ns_t_ptr, NETWORK_DNS_UDP_MAX, &message), 0);
}

static void an_answer_that_does_not_fit_says_so(void **state)
{
    ns_msg message;
    (void)state;
    assert_true(ask("www", ns_t_a, NS_HFIXEDSZ + 9 + 16 + 4, &message) > 0);
    assert_int_equal(ns_msg_count(message, ns_s_an), 1);
    assert_int_equal(ns_msg_getflag(message, ns_f_tc), 1);
}

static void a_refusal_is_an_answer_to_the_question(void **state)
{
    unsigned char query[512];
    ns_msg message;
    (void)state;
    int length =
        res_mkquery(ns_o_query, "x.test", ns_c_in, ns_t_a, NULL, 0, NULL, query, sizeof(query));
    int n = network_resolver_refuse(query, (size_t)length, answer, sizeof(answer));
    assert_int_equal(ns_initparse(answer, n, &message), 0);
    assert_int_equal(ns_msg_getflag(message, ns_f_rcode), ns_r_servfail);
    assert_int_equal(ns_msg_count(message, ns_s_qd), 1);
}

static void what_is_no_query_is_dropped(void **state)
{
    unsigned char query[512];
    (void)state;
    int length =
        res_mkquery(ns_o_query, "web", ns_c_in, ns_t_a, NULL, 0, NULL, query, sizeof(query));
    for (int n = 0; n < length; n++) { /* cut anywhere */
        assert_int_equal(
            network_resolver_answer(store, endpoints, query, (size_t)n, answer, sizeof(answer)),
            -1);
    }
    query[2] |= 0x80; /* an answer is no query: two resolvers must not talk for ever */
    assert_int_equal(
        network_resolver_answer(store, endpoints, query, (size_t)length, answer, sizeof(answer)),
        -1);
    memset(query, 0xff, sizeof(query));
    assert_int_equal(
        network_resolver_answer(store, endpoints, query, sizeof(query), answer, sizeof(answer)),
        -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_an_alias_and_a_name_with_its_network_have_the_address),
        cmocka_unit_test(a_shared_alias_has_both_addresses_and_each_comes_first_at_times),
        cmocka_unit_test(a_known_name_has_no_other_records_and_that_is_no_error),
        cmocka_unit_test(an_address_has_its_name),
        cmocka_unit_test(what_is_not_known_is_for_others),
        cmocka_unit_test(an_answer_that_does_not_fit_says_so),
        cmocka_unit_test(a_refusal_is_an_answer_to_the_question),
        cmocka_unit_test(what_is_no_query_is_dropped),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
