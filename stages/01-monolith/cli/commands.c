/*
 * commands.c - the table of commands: which there are, and under which nouns.
 *
 * Room:       cli.   Called by: cli.c (dispatch), help.c. The rows themselves stand with their
 * functions.
 */
#include "cli_internal.h"

const struct cli_command *const cli_commands[] = {
    &cli_container_attach, &cli_container_commit,  &cli_container_cp,     &cli_container_create,
    &cli_container_diff,   &cli_system_events,     &cli_container_exec,   &cli_container_export,
    &cli_image_history,    &cli_image_images,      &cli_image_import,     &cli_system_info,
    &cli_system_inspect,   &cli_container_kill,    &cli_image_load,       &cli_container_logs,
    &cli_container_pause,  &cli_container_port,    &cli_container_ps,     &cli_image_pull,
    &cli_image_push,       &cli_image_build,       &cli_container_rename, &cli_container_restart,
    &cli_container_rm,     &cli_image_rmi,         &cli_container_run,    &cli_image_save,
    &cli_container_start,  &cli_container_stats,   &cli_container_stop,   &cli_image_tag,
    &cli_container_top,    &cli_container_unpause, &cli_container_update, &cli_system_version,
    &cli_container_wait,   &cli_system_completion, &cli_system_man,       NULL};

static const struct cli_command *const container_commands[] = {
    &cli_container_attach,  &cli_container_commit,
    &cli_container_cp,      &cli_container_create,
    &cli_container_diff,    &cli_container_exec,
    &cli_container_export,  &cli_container_inspect,
    &cli_container_kill,    &cli_container_logs,
    &cli_container_ls,      &cli_container_pause,
    &cli_container_port,    &cli_container_prune,
    &cli_container_rename,  &cli_container_restart,
    &cli_container_rm,      &cli_container_run,
    &cli_container_start,   &cli_container_stats,
    &cli_container_stop,    &cli_container_top,
    &cli_container_unpause, &cli_container_update,
    &cli_container_wait,    NULL};

static const struct cli_command *const image_commands[] = {&cli_image_build,
                                                           &cli_image_history,
                                                           &cli_image_import,
                                                           &cli_image_inspect,
                                                           &cli_image_load,
                                                           &cli_image_ls,
                                                           &cli_image_prune,
                                                           &cli_image_pull,
                                                           &cli_image_push,
                                                           &cli_image_rm,
                                                           &cli_image_save,
                                                           &cli_image_tag,
                                                           NULL};

static const struct cli_command *const network_commands[] = {
    &cli_network_connect, &cli_network_create, &cli_network_disconnect, &cli_network_inspect,
    &cli_network_ls,      &cli_network_prune,  &cli_network_rm,         NULL};

static const struct cli_command *const volume_commands[] = {&cli_volume_create, &cli_volume_inspect,
                                                            &cli_volume_ls,     &cli_volume_prune,
                                                            &cli_volume_rm,     NULL};

static const struct cli_command *const system_commands[] = {
    &cli_system_df, &cli_system_events, &cli_system_info, &cli_system_prune, NULL};

const struct cli_noun cli_nouns[] = {
    {"container", "Manage containers", container_commands},
    {"image", "Manage images", image_commands},
    {"network", "Manage networks", network_commands},
    {"system", "Manage the engine", system_commands},
    {"volume", "Manage volumes", volume_commands},
    {NULL, NULL, NULL},
};
