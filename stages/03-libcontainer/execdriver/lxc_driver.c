/*
 * lxc_driver.c - the table of stage 01's driver. Compiled with lxc_names.h, as its sources are.
 *
 * Room:       execdriver (stage 03).   Called by: execdriver.c.
 */
#include "execdriver_ops.h"

const struct exec_ops lxc_ops = {
    .name = "lxc",
    .version = lxc_driver_version,
    .check = lxc_driver_check,
    .keep = lxc_keep,
    .create = lxc_create,
    .start = lxc_start,
    .pid = lxc_pid,
    .wait_fd = lxc_wait_fd,
    .result = lxc_result,
    .signal = lxc_signal,
    .kill_all = lxc_kill_all,
    .pause = lxc_pause,
    .resume = lxc_resume,
    .update = lxc_update,
    .stats = lxc_stats,
    .pids = lxc_pids,
    .delete = lxc_delete,
    .release = lxc_release,
    .run = lxc_run,
    .run_pid = lxc_run_pid,
    .run_wait_fd = lxc_run_wait_fd,
    .run_signal = lxc_run_signal,
    .run_result = lxc_run_result,
    .run_release = lxc_run_release,
    .save = lxc_save,
    .adopt = lxc_adopt,
    .forget = lxc_forget,
};
