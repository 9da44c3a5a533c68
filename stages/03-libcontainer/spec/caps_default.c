/*
 * caps_default.c - a set of capabilities as the five lists of "process.capabilities".
 *
 * Room:       spec (stage 03).   Called by: document.c.
 * Man:        capabilities(7).
 */
#include "spec_internal.h"

#include "capabilities.h"

#include "json.h"

static json_t *names(uint64_t caps)
{
    json_t *list = json_array();

    for (int i = 0; i < lc_cap_count(); i++) {
        if (caps >> i & 1) {
            ct_json_append(list, json_string(lc_cap_name(i)));
        }
    }
    return list;
}

/* Nothing is inheritable (CVE-2022-29162). */
json_t *spec_capabilities(uint64_t caps, bool is_root)
{
    json_t *capabilities = json_object();

    ct_json_set(capabilities, "bounding", names(caps));
    ct_json_set(capabilities, "effective", names(is_root ? caps : 0));
    ct_json_set(capabilities, "permitted", names(is_root ? caps : 0));
    ct_json_set(capabilities, "inheritable", json_array());
    ct_json_set(capabilities, "ambient", json_array());
    return capabilities;
}

uint64_t spec_caps_of_names(const json_t *list)
{
    uint64_t caps = 0;
    size_t i;
    json_t *name;

    json_array_foreach((json_t *)list, i, name)
    {
        int number = lc_cap_number(json_string_value(name) ? json_string_value(name) : "");
        caps |= number >= 0 ? UINT64_C(1) << number : 0;
    }
    return caps;
}
