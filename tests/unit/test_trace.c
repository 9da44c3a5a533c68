/*
 * test_trace.c - a recording is read, understood and shown.
 */
#define CT_LAYER "test"
#include "columns.h"
#include "recording.h"
#include "renderers.h"
#include "trace_models.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <string.h>

#include <cmocka.h>

static const char recording[] =
    "{\"t\":\"header\",\"version\":1,\"ns\":1000,\"command\":[\"cutaway\",\"start\",\"web\"],"
    "\"kernel_events\":true}\n"
    "{\"t\":\"exec\",\"ns\":1000000,\"pid\":10,\"comm\":\"cutaway\",\"file\":\"/bin/"
    "cutaway\",\"argv\":[\"cutaway\"],\"level\":0}\n"
    "{\"t\":\"begin\",\"ns\":2000000,\"pid\":10,\"id\":\"0000000000000001\",\"role\":\"client\","
    "\"step\":\"command\",\"msg\":\"cutaway start web\"}\n"
    "{\"t\":\"begin\",\"ns\":3000000,\"pid\":10,\"id\":\"0000000000000002\",\"role\":\"engine\","
    "\"step\":\"start\",\"msg\":\"engine_container_start(web)\"}\n"
    "{\"t\":\"fork\",\"ns\":4000000,\"pid\":10,\"child\":11}\n"
    "{\"t\":\"exec\",\"ns\":5000000,\"pid\":11,\"comm\":\"lxc-start\",\"file\":\"/usr/bin/"
    "lxc-start\",\"argv\":[\"lxc-start\",\"-n\"],\"level\":0}\n"
    "{\"t\":\"call\",\"ns\":6000000,\"pid\":11,\"name\":\"mount\",\"text\":\"'overlay' on "
    "'/x'\",\"dur\":1500000,\"ret\":-28}\n"
    "{\"t\":\"fork\",\"ns\":7000000,\"pid\":11,\"child\":12}\n"
    "{\"t\":\"exec\",\"ns\":8000000,\"pid\":12,\"comm\":\"5\",\"file\":\"/proc/self/fd/"
    "5\",\"argv\":[\"x\"],\"level\":1}\n"
    "{\"t\":\"exec\",\"ns\":9000000,\"pid\":12,\"comm\":\"sh\",\"file\":\"/bin/"
    "sh\",\"argv\":[\"sh\",\"-c\",\"evil\\u001b[2J\"],\"level\":1}\n"
    "{\"t\":\"end\",\"ns\":9500000,\"pid\":10,\"id\":\"0000000000000002\",\"kind\":\"system\","
    "\"error\":\"mount it\"}\n"
    "{\"t\":\"end\",\"ns\":9800000,\"pid\":10,\"id\":\"0000000000000001\",\"kind\":\"system\","
    "\"error\":\"mount it\"}\n"
    "{\"t\":\"footer\",\"ns\":9900000,\"exit_code\":1,\"lost\":3}\n";

static struct model *read_model(void)
{
    return model_of(recording);
}

static char *render(render_fn fn, int width)
{
    return text_of(fn, read_model(), &(struct render_options){.width = width});
}

static void processes_get_the_role_of_what_they_do(void **state)
{
    (void)state;
    struct model *model = read_model();

    assert_int_equal(model_process(model, 10)->role, CT_ROLE_CLIENT);
    assert_int_equal(model_process(model, 11)->role, CT_ROLE_LXC);
    assert_int_equal(model_process(model, 12)->role, CT_ROLE_CONTAINER);
    model_free(model);
}

/* Stage 03: the monitor (20) clones a child (21) that makes itself the container and executes. */
static const char runtime_recording[] =
    "{\"t\":\"header\",\"version\":1,\"ns\":1000,\"command\":[\"x\"],\"kernel_events\":true}\n"
    "{\"t\":\"call\",\"ns\":1500000,\"pid\":10,\"name\":\"execve\",\"text\":\"/a/x\",\"ret\":-2}\n"
    "{\"t\":\"exec\",\"ns\":2000000,\"pid\":10,\"file\":\"/b/x\",\"argv\":[\"x\"],\"level\":0}\n"
    "{\"t\":\"begin\",\"ns\":3000000,\"pid\":20,\"id\":\"0000000000000001\",\"role\":\"monitor\","
    "\"step\":\"start\",\"msg\":\"m\"}\n"
    "{\"t\":\"begin\",\"ns\":3200000,\"pid\":20,\"id\":\"0000000000000004\",\"role\":\"runtime\","
    "\"step\":\"clone\",\"msg\":\"clone3\"}\n"
    "{\"t\":\"call\",\"ns\":3500000,\"pid\":20,\"name\":\"clone3\",\"text\":\"CLONE_NEWPID\","
    "\"ret\":21}\n"
    "{\"t\":\"fork\",\"ns\":4000000,\"pid\":20,\"child\":21}\n"
    "{\"t\":\"end\",\"ns\":4200000,\"pid\":20,\"id\":\"0000000000000004\",\"kind\":\"none\"}\n"
    "{\"t\":\"call\",\"ns\":4500000,\"pid\":20,\"name\":\"fsync\",\"text\":\"\",\"ret\":0}\n"
    "{\"t\":\"exec\",\"ns\":5000000,\"pid\":21,\"file\":\"/dev/fd/"
    "7\",\"argv\":[\"init\"],\"level\":1}\n"
    "{\"t\":\"begin\",\"ns\":6000000,\"pid\":21,\"id\":\"0000000000000002\",\"role\":\"runtime\","
    "\"step\":\"mount\",\"msg\":\"proc\"}\n"
    "{\"t\":\"end\",\"ns\":7000000,\"pid\":21,\"id\":\"0000000000000002\",\"kind\":\"none\"}\n"
    "{\"t\":\"begin\",\"ns\":8000000,\"pid\":21,\"id\":\"0000000000000003\",\"role\":\"runtime\","
    "\"step\":\"exec\",\"msg\":\"sh\"}\n"
    "{\"t\":\"exec\",\"ns\":9000000,\"pid\":21,\"file\":\"/bin/"
    "sh\",\"argv\":[\"sh\"],\"level\":0}\n"
    "{\"t\":\"footer\",\"ns\":9900000,\"exit_code\":0,\"lost\":0}\n";

/* The role of the row that tells an event of this type and time. */
static int role_at(const struct model *model, int64_t ns)
{
    for (size_t i = 0; i < model->n_rows; i++) {
        if (model->rows[i].ns == ns) {
            return model->rows[i].role;
        }
    }
    return -2;
}

static void a_runtime_becomes_the_container_when_it_executes_inside_its_exec_span(void **state)
{
    (void)state;
    struct model *model = model_of(runtime_recording);

    assert_int_equal(role_at(model, 1500000), CT_ROLE_CLIENT);
    assert_int_equal(role_at(model, 5000000), CT_ROLE_RUNTIME); /* deeper, but our own helper */
    assert_int_equal(role_at(model, 6000000), CT_ROLE_RUNTIME);
    assert_int_equal(role_at(model, 9000000), CT_ROLE_CONTAINER); /* also in the host's namespace */
    model_free(model);
}

static void an_event_has_the_role_of_the_span_that_its_thread_is_in(void **state)
{
    (void)state;
    struct model *model = model_of(runtime_recording);

    assert_int_equal(role_at(model, 3500000), CT_ROLE_RUNTIME); /* the monitor calls the library */
    assert_int_equal(role_at(model, 4500000), CT_ROLE_MONITOR);
    assert_int_equal(model_process(model, 20)->role, CT_ROLE_MONITOR);
    model_free(model);
}

static void an_exec_ends_the_spans_of_the_program_before(void **state)
{
    (void)state;
    struct model *model = model_of(runtime_recording);

    assert_int_equal(model->n_spans, 4);
    assert_int_equal(model->spans[0].end_ns, 0); /* another process's goes on */
    assert_int_equal(model->spans[3].end_ns, 9000000);
    assert_false(model->spans[3].failed);
    model_free(model);
}

static void spans_nest_and_carry_their_failure(void **state)
{
    (void)state;
    struct model *model = read_model();

    assert_int_equal(model->n_spans, 2);
    assert_int_equal(model->spans[1].depth, 1);
    assert_true(model->spans[1].failed);
    assert_string_equal(model->spans[1].error, "mount it");
    assert_true(model->spans[0].failed);
    model_free(model);
}

static void the_waterfall_shows_roles_messages_events_and_losses(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = render(render_waterfall, 100);

    assert_non_null(strstr(text, "$ cutaway start web"));
    assert_non_null(strstr(text, "client"));
    assert_non_null(strstr(text, "start: engine_container_start(web) (6.5 ms) FAILED: mount it"));
    assert_non_null(strstr(text, "mount 'overlay' on '/x' = ENOSPC (1.5 ms)"));
    assert_non_null(strstr(text, "3 events were lost"));
}

static void no_control_character_of_a_stranger_reaches_the_terminal(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = render(render_waterfall, 120);

    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "evil?[2J"));
}

static void lines_fit_the_width(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = render(render_waterfall, 80);
    assert_width(text, 80);
}

static void a_paragraph_is_folded_between_words(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    columns_fold(out, "ein Wörtchen und noch einandermal", 12);
    (void)fclose(out);
    assert_string_equal(text, "ein Wörtchen\nund noch\neinandermal");
    free(text);
}

/* A message is told by who answers it, without the package; a program by its name. */
static void the_brief_picture_has_borders_programs_and_long_steps(void **state)
{
    (void)state;
    struct model *model = model_of_quoted(
        "{'t':'header','version':1,'ns':1000,'command':['x'],'kernel_events':true}\n"
        "{'t':'begin','ns':1000000,'pid':10,'tid':10,'id':'1','role':'client','step':'request',"
        "'msg':'a.v1.Tasks/Start'}\n"
        "{'t':'begin','ns':1100000,'pid':20,'tid':20,'id':'2','parent':'1','role':'engine',"
        "'step':'reply','msg':'a.v1.Tasks/Start id=web'}\n"
        "{'t':'end','ns':1200000,'pid':20,'tid':20,'id':'2'}\n"
        "{'t':'begin','ns':2000000,'pid':10,'tid':10,'id':'3','role':'client','step':'load','msg':'"
        "short'}\n"
        "{'t':'end','ns':2100000,'pid':10,'tid':10,'id':'3'}\n"
        "{'t':'begin','ns':3000000,'pid':10,'tid':10,'id':'4','role':'client','step':'save','msg':'"
        "long'}\n"
        "{'t':'call','ns':3100000,'pid':10,'tid':10,'name':'umount2','text':'','ret':0}\n"
        "{'t':'exec','ns':4000000,'pid':30,'tid':30,'file':'/b/runc','argv':['/b/"
        "runc','start'],'level':0}\n"
        "{'t':'end','ns':90000000,'pid':10,'tid':10,'id':'4'}\n");
    const struct render_options options = {.width = 80, .brief = true};
    struct ct_error err = {0};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    assert_int_equal(render_waterfall(out, model, &options, &err), 0);
    (void)fclose(out);
    assert_non_null(strstr(text, "reply: Tasks/Start id=web (0.1 ms)"));
    assert_non_null(strstr(text, "save: long"));
    assert_non_null(strstr(text, "exec runc start\n"));
    assert_null(strstr(text, "request:"));
    assert_null(strstr(text, "short"));
    assert_null(strstr(text, "umount2"));
    assert_non_null(strstr(text, "(3 rows more without --brief)"));
    free(text);
    model_free(model);
}

static void the_story_tells_time_first_instruction_and_failure(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = render(render_story, 80);

    assert_non_null(strstr(
        text, "The command took 7.8 ms; the container's first instruction came after 8.0 ms."));
    assert_non_null(strstr(text, "2 processes were made"));
    assert_non_null(strstr(text, "It failed where engine started the container: mount it."));
}

/* A program that is no command line of ours: its first span is not all that it does. */
static void a_command_without_a_span_of_its_own_is_told_by_its_process(void **state)
{
    (void)state;
    struct model *model = model_of(
        "{\"t\":\"header\",\"version\":1,\"ns\":1000,\"command\":[\"x\"],\"kernel_events\":true}\n"
        "{\"t\":\"exec\",\"ns\":2000000,\"pid\":10,\"file\":\"/b/"
        "x\",\"argv\":[\"x\"],\"level\":0}\n"
        "{\"t\":\"begin\",\"ns\":3000000,\"pid\":10,\"id\":\"0000000000000001\",\"role\":"
        "\"runtime\",\"step\":\"create\",\"msg\":\"m\"}\n"
        "{\"t\":\"end\",\"ns\":4000000,\"pid\":10,\"id\":\"0000000000000001\",\"kind\":\"none\"}\n"
        "{\"t\":\"fork\",\"ns\":5000000,\"pid\":10,\"child\":11}\n"
        "{\"t\":\"exit\",\"ns\":8000000,\"pid\":10,\"code\":0}\n"
        "{\"t\":\"exit\",\"ns\":9000000,\"pid\":11,\"code\":0}\n"
        "{\"t\":\"footer\",\"ns\":9900000,\"exit_code\":0,\"lost\":0}\n");

    assert_int_equal(model->command_begin_ns, 2000000);
    assert_int_equal(model->command_end_ns, 8000000);
    model_free(model);
}

/* 11 is a fork of 10; 12, a fork of 11, is another program; 20 is no relative of theirs. */
static void a_span_in_another_program_is_a_message_and_in_a_fork_a_call(void **state)
{
    (void)state;
    struct model *model = model_of(
        "{\"t\":\"header\",\"version\":1,\"ns\":1000,\"command\":[\"x\"],\"kernel_events\":true}\n"
        "{\"t\":\"exec\",\"ns\":2000000,\"pid\":10,\"file\":\"/b/"
        "x\",\"argv\":[\"x\"],\"level\":0}\n"
        "{\"t\":\"begin\",\"ns\":3000000,\"pid\":10,\"id\":\"1\",\"role\":\"runtime\",\"step\":"
        "\"create\"}\n"
        "{\"t\":\"fork\",\"ns\":4000000,\"pid\":10,\"child\":11}\n"
        "{\"t\":\"begin\",\"ns\":4100000,\"pid\":11,\"id\":\"2\",\"parent\":\"1\",\"role\":"
        "\"runtime\",\"step\":\"mount\"}\n"
        "{\"t\":\"fork\",\"ns\":5000000,\"pid\":11,\"child\":12}\n"
        "{\"t\":\"exec\",\"ns\":5100000,\"pid\":12,\"file\":\"/b/"
        "y\",\"argv\":[\"y\"],\"level\":0}\n"
        "{\"t\":\"begin\",\"ns\":5200000,\"pid\":12,\"id\":\"3\",\"parent\":\"1\",\"role\":"
        "\"monitor\",\"step\":\"start\"}\n"
        "{\"t\":\"begin\",\"ns\":6000000,\"pid\":20,\"id\":\"4\",\"parent\":\"1\",\"role\":"
        "\"engine\",\"step\":\"start\"}\n"
        "{\"t\":\"footer\",\"ns\":9900000,\"exit_code\":0,\"lost\":0}\n");

    assert_int_equal(model->n_spans, 4);
    assert_null(model_sender(model, &model->spans[1]));
    assert_ptr_equal(model_sender(model, &model->spans[2]), &model->spans[0]);
    assert_ptr_equal(model_sender(model, &model->spans[3]), &model->spans[0]);
    model_free(model);
}

/* The shim (30) executes a runtime (31), which has its role before it says so; --init is a row. */
static void a_program_has_its_role_from_its_exec_on_and_init_is_one(void **state)
{
    (void)state;
    struct model *model = model_of_quoted(
        "{'t':'header','version':1,'ns':1000,'command':['x']}\n"
        "{'t':'exec','ns':1000000,'pid':10,'file':'/b/x','level':0}\n"
        "{'t':'begin','ns':2000000,'pid':30,'id':'1','role':'shim','step':'reply'}\n"
        "{'t':'fork','ns':3000000,'pid':30,'child':31}\n"
        "{'t':'call','ns':3500000,'pid':31,'name':'prctl'}\n"
        "{'t':'exec','ns':4000000,'pid':31,'file':'/b/runc','level':0}\n"
        "{'t':'call','ns':4500000,'pid':31,'name':'mount'}\n"
        "{'t':'begin','ns':5000000,'pid':31,'id':'2','parent':'1','role':'runtime','step':'exec'}\n"
        "{'t':'exec','ns':6000000,'pid':31,'file':'/sbin/docker-init','level':1}\n"
        "{'t':'fork','ns':7000000,'pid':31,'child':32}\n"
        "{'t':'exec','ns':8000000,'pid':32,'file':'/bin/sh','level':1}\n"
        "{'t':'footer','ns':9900000,'exit_code':0}\n");

    assert_int_equal(role_at(model, 3500000), CT_ROLE_SHIM);
    assert_int_equal(role_at(model, 4500000), CT_ROLE_RUNTIME);
    assert_int_equal(role_at(model, 6000000), CT_ROLE_INIT);
    assert_int_equal(role_at(model, 8000000), CT_ROLE_CONTAINER);
    assert_int_equal(model_first_instruction(model)->ns, 6000000);
    model_free(model);
}

#define ASKING                                                                        \
    "{'t':'header','version':1,'ns':1000,'command':['x']}\n"                          \
    "{'t':'begin','ns':1000000,'pid':10,'id':'1','role':'client','step':'request'}\n" \
    "{'t':'begin','ns':2000000,'pid':20,'id':'2','parent':'1','role':'engine',"       \
    "'step':'request','msg':'Tasks/Start'}\n"                                         \
    "{'t':'end','ns':4000000,'pid':10,'id':'1','kind':'none'}\n"

/* As with Docker's containerd behind our daemon: the request went well, so somebody did the work.
 */
static void rows_of_whoever_did_not_answer_are_said_to_be_not_recorded(void **state)
{
    static const struct {
        const char *text, *untold;
    } cases[] = {
        {ASKING "{'t':'end','ns':3000000,'pid':20,'id':'2','kind':'none'}\n",
         "containerd, shim, runtime, container: who answered 'Tasks/Start' told nothing; it is not "
         "Cutaway's, or cannot be traced"},
        {ASKING "{'t':'end','ns':3000000,'pid':20,'id':'2','kind':'unreachable'}\n", ""},
        {ASKING "{'t':'begin','ns':2500000,'pid':30,'id':'3','parent':'2','role':'containerd'}\n"
                "{'t':'end','ns':3000000,'pid':20,'id':'2','kind':'none'}\n",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct model *model = model_of_quoted(cases[i].text);
        CT_AUTO_FREE char *untold = model_untold(model);
        assert_string_equal(untold, cases[i].untold);
        model_free(model);
    }
}

static void the_chrome_trace_is_json_with_names_slices_and_arrows(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = render(render_chrome, 80);
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), &err);
    size_t i, slices = 0, arrows = 0, names = 0;
    json_t *event;

    assert_non_null(document);
    json_array_foreach(json_object_get(document, "traceEvents"), i, event)
    {
        const char *phase = ct_json_string(event, "ph", "");
        slices += strcmp(phase, "X") == 0;
        arrows += strcmp(phase, "s") == 0;
        names += strcmp(phase, "M") == 0;
    }
    assert_int_equal(slices, 3); /* two spans, one call */
    assert_int_equal(arrows, 2);
    assert_int_equal(names, 3);
}

static void a_foreign_or_broken_file_is_refused_with_its_line(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_null(read_text("hello\n", &err));
    assert_int_equal(err.kind, CT_INVALID);
    assert_non_null(strstr(err.frame[0].what, "line 1: "));
    assert_null(read_text("{\"t\":\"header\",\"ns\":1,\"version\":2}\n", &err));
    assert_non_null(strstr(err.frame[0].what, "line 1: it is no recording of this version (1)"));
    assert_null(read_text("{\"t\":\"header\",\"ns\":1,\"version\":1}\n{\"t\":\"fork\"}\n", &err));
    assert_non_null(strstr(err.frame[0].what, "line 2: it is no event of a recording"));
    assert_null(read_text("", &err));
    assert_non_null(strstr(err.frame[0].what, "it is empty"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_get_the_role_of_what_they_do),
        cmocka_unit_test(a_runtime_becomes_the_container_when_it_executes_inside_its_exec_span),
        cmocka_unit_test(an_event_has_the_role_of_the_span_that_its_thread_is_in),
        cmocka_unit_test(an_exec_ends_the_spans_of_the_program_before),
        cmocka_unit_test(spans_nest_and_carry_their_failure),
        cmocka_unit_test(the_waterfall_shows_roles_messages_events_and_losses),
        cmocka_unit_test(no_control_character_of_a_stranger_reaches_the_terminal),
        cmocka_unit_test(lines_fit_the_width),
        cmocka_unit_test(the_story_tells_time_first_instruction_and_failure),
        cmocka_unit_test(a_command_without_a_span_of_its_own_is_told_by_its_process),
        cmocka_unit_test(a_span_in_another_program_is_a_message_and_in_a_fork_a_call),
        cmocka_unit_test(a_program_has_its_role_from_its_exec_on_and_init_is_one),
        cmocka_unit_test(rows_of_whoever_did_not_answer_are_said_to_be_not_recorded),
        cmocka_unit_test(a_paragraph_is_folded_between_words),
        cmocka_unit_test(the_brief_picture_has_borders_programs_and_long_steps),
        cmocka_unit_test(the_chrome_trace_is_json_with_names_slices_and_arrows),
        cmocka_unit_test(a_foreign_or_broken_file_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
