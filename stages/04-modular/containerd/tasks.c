/*
 * tasks.c - which tasks there are, and the thread that notices the end of their shims.
 *
 * Room:       containerd.   Called by: task_service.c, task_life.c, main.c.
 *
 * Each shim has one connection on which nothing is ever said: its end is the shim's end.
 */
#include "tasks.h"

#include "file.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOAD_MS 5000

/* What an event of epoll is about: the number of a task, and which of its two descriptors. */
#define EVENT_STOP      UINT64_MAX
#define EVENT_END(task) ((task)->number * 2)
#define EVENT_LOG(task) ((task)->number * 2 + 1)

/* ---- the list ------------------------------------------------------------------------------- */

static void task_free(struct task *task)
{
    ct_cleanup_close(&task->watch_fd); /* epoll forgets it with that */
    ct_cleanup_close(&task->log_fd);
    free(task->space);
    free(task->id);
    free(task->bundle);
    free(task->program);
    free(task->socket);
    free(task);
}

void task_put(struct task *task)
{
    struct tasks *tasks = task->containerd->tasks;

    (void)pthread_mutex_lock(&tasks->lock);
    bool last = --task->refs == 0;
    (void)pthread_mutex_unlock(&tasks->lock);
    if (last) {
        task_free(task);
    }
}

/* With the lock held. */
static struct task *look_up(struct tasks *tasks, const char *space, const char *id)
{
    struct task *task = tasks->list;

    while (task && (strcmp(task->id, id) != 0 || strcmp(task->space, space) != 0)) {
        task = task->next;
    }
    return task;
}

struct task *task_get(struct containerd *containerd, const char *space, const char *id,
                      struct ct_error *err)
{
    struct tasks *tasks = containerd->tasks;

    (void)pthread_mutex_lock(&tasks->lock);
    struct task *task = look_up(tasks, space, id);
    if (task && !task->socket) {
        task = NULL; /* it is being made: nobody can ask it yet */
    }
    if (task) {
        task->refs++;
    }
    (void)pthread_mutex_unlock(&tasks->lock);
    return task ? task : ct_refuse_null(err, CT_NOT_FOUND, "no task '%.100s'", id);
}

struct task **tasks_of(struct containerd *containerd, const char *space, size_t *ret_n)
{
    struct tasks *tasks = containerd->tasks;
    size_t n = 0;

    *ret_n = 0;
    (void)pthread_mutex_lock(&tasks->lock);
    for (struct task *task = tasks->list; task; task = task->next) {
        n++;
    }
    struct task **result = calloc(n + 1, sizeof(struct task *));
    for (struct task *task = tasks->list; result && task; task = task->next) {
        if (task->socket && strcmp(task->space, space) == 0) {
            task->refs++;
            result[(*ret_n)++] = task;
        }
    }
    (void)pthread_mutex_unlock(&tasks->lock);
    return result;
}

struct task *task_add(struct containerd *containerd, const char *space, const char *id,
                      struct ct_error *err)
{
    struct tasks *tasks = containerd->tasks;
    struct task *task = calloc(1, sizeof(*task));

    if (!task) {
        return ct_fail_null(err, ENOMEM, "add task '%.76s'", id);
    }
    task->containerd = containerd;
    task->space = ct_strdup(space);
    task->id = ct_strdup(id);
    task->bundle = ct_printf("%s/%s/%s", tasks->bundles, space, id);
    task->watch_fd = task->log_fd = -1;
    (void)pthread_mutex_lock(&tasks->lock);
    bool exists = look_up(tasks, space, id) != NULL;
    if (!exists) {
        task->refs = 2; /* the list's and the caller's */
        task->number = ++tasks->n_ever;
        task->next = tasks->list;
        tasks->list = task;
    }
    (void)pthread_mutex_unlock(&tasks->lock);
    if (exists) {
        task_free(task);
        return ct_refuse_null(err, CT_EXISTS, "task '%.76s' is there already", id);
    }
    return task;
}

void task_serve_at(struct task *task, char *socket)
{
    struct tasks *tasks = task->containerd->tasks;

    (void)pthread_mutex_lock(&tasks->lock);
    task->socket = socket;
    (void)pthread_mutex_unlock(&tasks->lock);
}

void task_drop(struct task *task)
{
    struct tasks *tasks = task->containerd->tasks;
    bool was_there = false;

    (void)pthread_mutex_lock(&tasks->lock);
    for (struct task **at = &tasks->list; *at; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            was_there = true;
            break;
        }
    }
    (void)pthread_mutex_unlock(&tasks->lock);
    if (was_there) {
        task_put(task);
    }
}

bool task_leave(struct task *task)
{
    struct tasks *tasks = task->containerd->tasks;

    (void)pthread_mutex_lock(&tasks->lock);
    bool first = !task->leaving;
    task->leaving = true;
    (void)pthread_mutex_unlock(&tasks->lock);
    return first;
}

bool task_shares_shim(struct task *task)
{
    struct tasks *tasks = task->containerd->tasks;
    bool shared = false;

    (void)pthread_mutex_lock(&tasks->lock);
    for (struct task *other = tasks->list; other; other = other->next) {
        shared = shared || (other != task && other->socket && task->socket &&
                            strcmp(other->socket, task->socket) == 0);
    }
    (void)pthread_mutex_unlock(&tasks->lock);
    return shared;
}

/* ---- watching ------------------------------------------------------------------------------- */

static int add_event(struct tasks *tasks, int fd, uint32_t events, uint64_t what,
                     struct ct_error *err)
{
    struct epoll_event event = {.events = events, .data.u64 = what};

    return epoll_ctl(tasks->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0
               ? ct_fail(err, errno, "watch a shim")
               : 0;
}

int task_watch(struct task *task, struct ct_error *err)
{
    struct tasks *tasks = task->containerd->tasks;

    task->watch_fd = ttrpc_connect(task->socket, err);
    if (task->watch_fd < 0) {
        return -1;
    }
    if (task->log_fd >= 0 && add_event(tasks, task->log_fd, EPOLLIN, EVENT_LOG(task), err) < 0) {
        return -1;
    }
    return add_event(tasks, task->watch_fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, EVENT_END(task),
                     err);
}

/* A shim's log goes where ours goes. */
static void pass_log(const struct task *task)
{
    char text[4096];
    ssize_t n = read(task->log_fd, text, sizeof(text));

    if (n > 0) {
        (void)!write(STDERR_FILENO, text, (size_t)n); /* nobody else is told of it */
    }
}

/* Takes the reference. A thread of its own, because its `delete` takes a while. */
static void *mourn(void *argument)
{
    struct task *task = argument;

    task_shim_died(task);
    task_put(task);
    return NULL;
}

static void notice_end(struct task *task)
{
    pthread_t thread;

    if (!task_leave(task)) { /* whoever removes it knows */
        task_put(task);
    } else if (pthread_create(&thread, NULL, mourn, task) == 0) {
        (void)pthread_detach(thread);
    } else {
        (void)mourn(task);
    }
}

static void handle_event(struct tasks *tasks, uint64_t what)
{
    (void)pthread_mutex_lock(&tasks->lock);
    struct task *task = tasks->list;
    while (task && task->number != what / 2) {
        task = task->next;
    }
    if (task) {
        task->refs++;
    }
    (void)pthread_mutex_unlock(&tasks->lock);
    if (task && what % 2) {
        pass_log(task);
        task_put(task);
    } else if (task) {
        notice_end(task);
    }
}

static void *watch(void *argument)
{
    struct tasks *tasks = argument;
    struct epoll_event events[16];

    for (;;) {
        int n = epoll_wait(tasks->epoll_fd, events, 16, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == EVENT_STOP) {
                return NULL;
            }
            handle_event(tasks, events[i].data.u64);
        }
    }
}

/* ---- those of before ------------------------------------------------------------------------ */

/* "unix:///path" in the file that the shim wrote; NULL: it never came so far. */
static char *saved_socket(const struct task *task)
{
    CT_AUTO_FREE char *address = bundle_read(task, "address");
    return address && strncmp(address, "unix:///", 8) == 0 ? ct_strdup(address + 7) : NULL;
}

/* A shim without a container: we were killed before it was asked to make one. It leaves. */
static int check_container(struct task *task, struct ct_error *err)
{
    Containerd__Task__V2__StateRequest request = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
    Containerd__Task__V2__ShutdownRequest leave = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;
    struct ct_error why = {0};

    request.id = leave.id = task->id;
    if (shim_ask(task, "State", &request, LOAD_MS, -1, NULL, &why) == 0 ||
        why.kind != CT_NOT_FOUND) {
        return 0;
    }
    *err = why;
    (void)shim_ask(task, "Shutdown", &leave, LOAD_MS, -1, NULL, &why);
    return -1;
}

static int greet(struct task *task, struct ct_error *err)
{
    Containerd__Task__V2__ConnectRequest request = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
    CT_AUTO_FREE char *log = ct_join(task->bundle, "log");

    request.id = task->id;
    if (!task->socket) {
        return ct_refuse(err, CT_NOT_FOUND, "the shim has no address");
    }
    /* First, because a shim that has only begun waits for a reader of its log. */
    task->log_fd = open(log, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (shim_ask(task, "Connect", &request, LOAD_MS, -1, NULL, err) < 0 ||
        check_container(task, err) < 0) {
        return -1;
    }
    return task_watch(task, err);
}

static void adopt(struct containerd *containerd, const char *space, const char *id)
{
    struct ct_error err = {0};
    AUTO_TASK struct task *task = task_add(containerd, space, id, &err);
    char line[1024];

    if (!task) {
        return;
    }
    task->program = bundle_read(task, "shim-binary-path");
    task_serve_at(task, saved_socket(task));
    if (greet(task, &err) == 0) {
        ct_info("found a running shim namespace=%s id=%s", space, id);
    } else if (task_leave(task)) {
        ct_info("%s/%s: %s", space, id, ct_error_render(&err, line, sizeof(line)));
        task_clean_up(task);
    }
}

/* Calls for each directory below path, whose name is one of ours. */
static void each_directory(struct containerd *containerd, const char *path, const char *space)
{
    CT_AUTO_DIR DIR *dir = opendir(path);
    const struct dirent *entry;
    struct ct_error ignored = {0};

    while (dir && (entry = readdir(dir))) {
        if (entry->d_type != DT_DIR || check_identifier("task", entry->d_name, &ignored) < 0) {
            continue;
        }
        if (space) {
            adopt(containerd, space, entry->d_name);
        } else {
            CT_AUTO_FREE char *below = ct_join(path, entry->d_name);
            each_directory(containerd, below, entry->d_name);
        }
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

static int open_watch(struct tasks *tasks, struct ct_error *err)
{
    int fd = ct_mkdirs(tasks->bundles, 0700, err);

    ct_cleanup_close(&fd);
    if (fd < 0) {
        return -1;
    }
    tasks->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tasks->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (tasks->epoll_fd < 0 || tasks->stop_fd < 0) {
        return ct_fail(err, errno, "watch shims");
    }
    if (add_event(tasks, tasks->stop_fd, EPOLLIN, EVENT_STOP, err) < 0) {
        return -1;
    }
    int failed = pthread_create(&tasks->watcher, NULL, watch, tasks);
    return failed ? ct_fail(err, failed, "watch shims") : 0;
}

static void tasks_free(struct tasks *tasks)
{
    ct_cleanup_close(&tasks->epoll_fd);
    ct_cleanup_close(&tasks->stop_fd);
    free(tasks->bundles);
    free(tasks);
}

struct tasks *tasks_open(struct containerd *containerd, struct ct_error *err)
{
    struct tasks *tasks = calloc(1, sizeof(*tasks));

    if (!tasks) {
        return ct_fail_null(err, ENOMEM, "watch shims");
    }
    *tasks = (struct tasks){.containerd = containerd, .epoll_fd = -1, .stop_fd = -1};
    tasks->bundles = ct_join(containerd->state, "io.containerd.runtime.v2.task");
    (void)pthread_mutex_init(&tasks->lock, NULL);
    if (open_watch(tasks, err) < 0) {
        tasks_free(tasks);
        return NULL;
    }
    containerd->tasks = tasks;
    each_directory(containerd, tasks->bundles, NULL);
    return tasks;
}

void tasks_close(struct tasks *tasks)
{
    uint64_t one = 1;

    if (tasks) {
        (void)!write(tasks->stop_fd, &one, sizeof(one));
        (void)pthread_join(tasks->watcher, NULL);
        while (tasks->list) {
            task_drop(tasks->list);
        }
        tasks_free(tasks);
    }
}
