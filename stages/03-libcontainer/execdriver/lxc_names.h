/*
 * lxc_names.h - gives the functions of stage 01's driver names of their own, so that it can be
 * linked beside another.
 *
 * Room:       execdriver (stage 03). Included by the compiler (-include) before each source of
 *             stages/01-monolith/execdriver/lxc, which stays as it is.
 */
#ifndef LXC_NAMES_H
#define LXC_NAMES_H

#define exec_job     driver_job
#define exec_process driver_process

#define exec_adopt                lxc_adopt
#define exec_create               lxc_create
#define exec_delete               lxc_delete
#define exec_driver_begin         lxc_driver_begin
#define exec_driver_end           lxc_driver_end
#define exec_driver_check         lxc_driver_check
#define exec_driver_has_terminals lxc_driver_has_terminals
#define exec_driver_name          lxc_driver_name
#define exec_driver_reach         lxc_driver_reach
#define exec_driver_use           lxc_driver_use
#define exec_driver_version       lxc_driver_version
#define exec_forget               lxc_forget
#define exec_keep                 lxc_keep
#define exec_kill_all             lxc_kill_all
#define exec_pause                lxc_pause
#define exec_pid                  lxc_pid
#define exec_pids                 lxc_pids
#define exec_resize               lxc_resize
#define exec_release              lxc_release
#define exec_result               lxc_result
#define exec_resume               lxc_resume
#define exec_run                  lxc_run
#define exec_run_adopt            lxc_run_adopt
#define exec_run_pid              lxc_run_pid
#define exec_run_release          lxc_run_release
#define exec_run_result           lxc_run_result
#define exec_run_save             lxc_run_save
#define exec_run_signal           lxc_run_signal
#define exec_run_wait_fd          lxc_run_wait_fd
#define exec_save                 lxc_save
#define exec_signal               lxc_signal
#define exec_start                lxc_start
#define exec_stats                lxc_stats
#define exec_update               lxc_update
#define exec_wait_fd              lxc_wait_fd

#endif
