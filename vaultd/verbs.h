/*
 * verbs.h - the rows of every method; each stands beside its handler in a verb_NOUN.c (the
 * two of org.varlink.service in varlink.c).
 */
#pragma once

#include "vaultd/verb.h"
#include "vaultd/verb_token.h"

extern const struct verb verb_service_info, verb_service_description;
extern const struct verb verb_vault_status, verb_vault_whoami, verb_vault_seal,
    verb_vault_unseal, verb_vault_backup, verb_vault_adopt;
extern const struct verb verb_connection_begin, verb_connection_reconnect,
    verb_connection_finish, verb_connection_create, verb_connection_set_secrets,
    verb_connection_list,
    verb_connection_show, verb_connection_rename, verb_connection_delete, verb_connection_deleted,
    verb_connection_disable, verb_connection_enable, verb_connection_edit,
    verb_connection_move, verb_connection_export, verb_connection_check,
    verb_connection_report_forbidden, verb_connection_session;
extern const struct verb verb_app_add, verb_app_set_secret, verb_app_list, verb_app_show,
    verb_app_delete, verb_app_edit, verb_app_stage, verb_app_test, verb_app_promote,
    verb_app_retire, verb_app_key, verb_app_set_certificate;
extern const struct verb verb_folder_create, verb_folder_list, verb_folder_show,
    verb_folder_delete;
extern const struct verb verb_binding_create, verb_binding_set, verb_binding_override,
    verb_binding_list, verb_binding_show, verb_binding_delete, verb_binding_resolve;
extern const struct verb verb_connection_set_default, verb_connection_clear_default;
extern const struct verb verb_connector_list, verb_connector_show, verb_connector_discover;
extern const struct verb verb_policy_reload, verb_policy_show, verb_policy_explain;
extern const struct verb verb_events_follow;
extern const struct verb verb_audit_head, verb_key_status;
