/*
 * test_trace_files.c - recordings compared, and as what browsers and other tools read.
 */
#define CT_LAYER "test"
#include "hops.h"
#include "trace_models.h"

#include "json.h"
#include "span.h"

/* One process (stage 01) and the same with a message (stage 02): the daemon's 20 executes an LXC.
 */
static const char one_process[] =
    "{'t':'header','version':1,'ns':1000,'command':['x'],'kernel_events':true}\n"
    "{'t':'exec','ns':1000000,'pid':10,'file':'/b/x','level':0,'calls':0}\n"
    "{'t':'begin','ns':2000000,'pid':10,'id':'1','role':'client','step':'command'}\n"
    "{'t':'begin','ns':3000000,'pid':10,'id':'2','parent':'1','role':'engine','step':'start'}\n"
    "{'t':'end','ns':4000000,'pid':10,'id':'2'}\n"
    "{'t':'end','ns':5000000,'pid':10,'id':'1'}\n"
    "{'t':'calls','ns':6000000,'pid':10,'count':5}\n";
static const char two_processes[] =
    "{'t':'header','version':1,'ns':1000,'command':['x'],'kernel_events':true}\n"
    "{'t':'exec','ns':1000000,'pid':10,'file':'/b/x','level':0,'calls':0}\n"
    "{'t':'begin','ns':2000000,'pid':10,'id':'1','role':'client','step':'request'}\n"
    "{'t':'begin','ns':3000000,'pid':20,'id':'2','parent':'1','role':'engine','step':'reply',"
    "'msg':'POST /containers/0123456789abcdef/start/and/a/path/that/is/too/long/for/eighty'}\n"
    "{'t':'begin','ns':3100000,'pid':20,'id':'3','parent':'1','role':'engine','step':'reply'}\n"
    "{'t':'fork','ns':3200000,'pid':20,'child':21}\n"
    "{'t':'exec','ns':3300000,'pid':21,'file':'/b/lxc-start','level':0,'calls':7}\n"
    "{'t':'end','ns':6000000,'pid':10,'id':'1'}\n"
    "{'t':'calls','ns':7000000,'pid':21,'count':10}\n";

static void a_border_is_a_call_a_message_or_an_exec(void **state)
{
    (void)state;
    struct model *first = model_of_quoted(one_process), *second = model_of_quoted(two_processes);
    struct hop_table one, two;

    hop_count(first, &one);
    hop_count(second, &two);

    assert_int_equal(one.at[CT_ROLE_CLIENT][CT_ROLE_ENGINE][HOP_CALL], 1);
    assert_int_equal(one.at[CT_ROLE_CLIENT][CT_ROLE_ENGINE][HOP_MESSAGE], 0);
    assert_int_equal(two.at[CT_ROLE_CLIENT][CT_ROLE_ENGINE][HOP_CALL], 0);
    assert_int_equal(two.at[CT_ROLE_CLIENT][CT_ROLE_ENGINE][HOP_MESSAGE], 1); /* the first of two */
    assert_int_equal(two.at[CT_ROLE_ENGINE][CT_ROLE_LXC][HOP_EXEC], 1);
    assert_int_equal(second->calls[CT_ROLE_ENGINE], 7); /* before the exec … */
    assert_int_equal(second->calls[CT_ROLE_LXC], 3);    /* … and behind it */
    model_free(first);
    model_free(second);
}

static void a_comparison_of_four_fits_eighty_columns(void **state)
{
    (void)state;
    struct model *first = model_of_quoted(one_process), *second = model_of_quoted(two_processes);
    const struct model *models[] = {first, second, first, second};
    const char *const names[] = {"01-monolith", "02-split-client", "03", "04"};
    const struct render_options options = {.width = 80};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    render_comparison(out, models, names, 4, &options);
    (void)fclose(out);
    CT_AUTO_FREE char *whole = ct_strdup(text);
    assert_width(text, 80);
    assert_non_null(strstr(whole, "  client -> engine      call          1 message     call"));
    assert_non_null(strstr(whole, "  engine -> lxc         -             exec          -"));
    assert_non_null(strstr(whole, "the command took, ms    3.0           5.0 +2.0      3.0 -2.0"));
    assert_non_null(strstr(whole, "system calls            5             10 +5         5 -5"));
    assert_non_null(strstr(whole, "\nnew messages in 03:\n  none\n"));
    free(text);
    model_free(first);
    model_free(second);
}

/* A message may contain what ends a script, or begins one. */
static void the_page_has_its_data_as_json_that_no_text_can_leave(void **state)
{
    (void)state;
    struct model *model = model_of_quoted(
        "{'t':'header','version':1,'ns':1000,'command':['x','</script><b>'],'kernel_events':true}\n"
        "{'t':'begin','ns':1000000,'pid':10,'id':'1','role':'client','step':'request',"
        "'msg':'<!--<script>@SCRIPT@ & \\u2028'}\n"
        "{'t':'begin','ns':2000000,'pid':20,'id':'2','parent':'1','role':'engine','step':'reply'}"
        "\n");
    const struct render_options options = {.width = 80};
    struct ct_error err = {0};
    char *page = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&page, &length);

    assert_int_equal(render_html(out, model, &options, &err), 0);
    (void)fclose(out);
    model_free(model);

    char *begin = strstr(page, "id=\"data\">") + strlen("id=\"data\">"), *end = strchr(begin, '<');
    assert_memory_equal(end, "</script>", strlen("</script>"));
    CT_AUTO_JSON json_t *data = ct_json_parse(begin, (size_t)(end - begin), &err);
    const json_t *span = json_array_get(json_object_get(data, "spans"), 0);
    const json_t *hop = json_array_get(json_object_get(data, "hops"), 0);
    assert_string_equal(ct_json_string(data, "command", ""), "x </script><b>");
    assert_string_equal(ct_json_string(span, "message", ""), "<!--<script>@SCRIPT@ & \u2028");
    assert_string_equal(ct_json_string(hop, "kind", ""), "message");
    assert_int_equal(ct_json_integer(hop, "asker", -1), 0);
    assert_int_equal(ct_json_integer(hop, "span", -1), 1);
    free(page);
}

/* A client (10) asks a daemon (20), whose thread mounts; the answer is a failure. */
static const char asked[] =
    "{'t':'header','version':1,'ns':1000,'command':['x'],'kernel_events':true,"
    "'trace':'0123456789abcdef0123456789abcdef','realtime_offset_ns':1000000000}\n"
    "{'t':'begin','ns':1000000,'pid':10,'tid':10,'id':'a1','role':'client','step':'request',"
    "'msg':'POST /start; <b> #1'}\n"
    "{'t':'begin','ns':2000000,'pid':20,'tid':21,'id':'a2','parent':'a1','role':'engine',"
    "'step':'reply','msg':'POST /start; <b> #1'}\n"
    "{'t':'begin','ns':3000000,'pid':20,'tid':21,'id':'a3','parent':'a2','role':'engine',"
    "'step':'load','msg':'web'}\n"
    "{'t':'call','ns':3500000,'pid':20,'tid':21,'name':'mount','text':'x','ret':0}\n"
    "{'t':'end','ns':4000000,'pid':20,'tid':21,'id':'a3','kind':'none'}\n"
    "{'t':'end','ns':5000000,'pid':20,'tid':21,'id':'a2','kind':'system','error':'no disk'}\n"
    "{'t':'end','ns':6000000,'pid':10,'tid':10,'id':'a1','kind':'none'}\n";

static char *render_asked(render_fn fn)
{
    return text_of(fn, model_of_quoted(asked), &(struct render_options){.width = 80});
}

static void opentelemetry_gets_a_resource_for_each_role(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = render_asked(render_otlp);
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), &err);
    const char *service = "", *trace = "", *id = "", *parent = "", *begin = "", *message = "";
    const char *event = "", *time = "";
    int kind = 0, code = 0;

    assert_int_equal(json_array_size(json_object_get(document, "resourceSpans")), 2);
    const json_t *engine = json_array_get(json_object_get(document, "resourceSpans"), 1);
    json_t *spans = NULL;
    assert_int_equal(json_unpack((json_t *)engine, "{s:{s:[{s:{s:s}}]}, s:[{s:o}]}", "resource",
                                 "attributes", "value", "stringValue", &service, "scopeSpans",
                                 "spans", &spans),
                     0);
    assert_string_equal(service, "cutaway-engine");
    assert_int_equal(json_unpack(json_array_get(spans, 0),
                                 "{s:s, s:s, s:s, s:i, s:s, s:{s:i, s:s}, s:[]}", "traceId", &trace,
                                 "spanId", &id, "parentSpanId", &parent, "kind", &kind,
                                 "startTimeUnixNano", &begin, "status", "code", &code, "message",
                                 &message, "events"),
                     0);
    assert_string_equal(trace, "0123456789abcdef0123456789abcdef");
    assert_string_equal(id, "00000000000000a2");
    assert_string_equal(parent, "00000000000000a1");
    assert_string_equal(begin, "1002000000");
    assert_int_equal(kind, 2);
    assert_int_equal(code, 2);
    assert_string_equal(message, "no disk");
    assert_int_equal(json_unpack(json_array_get(spans, 1), "{s:[{s:s, s:s}!]}", "events", "name",
                                 &event, "timeUnixNano", &time),
                     0);
    assert_string_equal(event, "mount x"); /* of the innermost span alone */
    assert_string_equal(time, "1003500000");
}

static void mermaid_gets_messages_and_answers_and_no_text_is_syntax(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = render_asked(render_mermaid);

    assert_string_equal(text, "sequenceDiagram\n"
                              "    participant client\n"
                              "    participant engine\n"
                              "    client->>engine: POST /start#59; #60;b#62; #35;1\n"
                              "    engine-->>client: no disk\n");
}

static void folded_stacks_add_up_to_the_whole(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = render_asked(render_folded);

    assert_string_equal(
        text, "client request: POST /start, <b> #1 2000\n"
              "client request: POST /start, <b> #1;engine reply: POST /start, <b> #1 2000\n"
              "client request: POST /start, <b> #1;engine reply: POST /start, <b> #1;"
              "engine load: web 1000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_border_is_a_call_a_message_or_an_exec),
        cmocka_unit_test(a_comparison_of_four_fits_eighty_columns),
        cmocka_unit_test(the_page_has_its_data_as_json_that_no_text_can_leave),
        cmocka_unit_test(opentelemetry_gets_a_resource_for_each_role),
        cmocka_unit_test(mermaid_gets_messages_and_answers_and_no_text_is_syntax),
        cmocka_unit_test(folded_stacks_add_up_to_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
