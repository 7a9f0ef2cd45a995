"""Walks a live origin with `harbor-api-client`, which is generated from Harbor's own contract.

Usage: harbor_client_walk.py URL USERNAME PASSWORD; there is an image library/app:1.0.0. A line for each call; ends with 1 if one failed.
"""

import sys

import harbor_client
from harbor_client.rest import ApiException

url, username, password = sys.argv[1:4]
configuration = harbor_client.Configuration()
configuration.host = f"{url}/api/v2.0"
configuration.username = username
configuration.password = password
api = harbor_client.ApiClient(configuration)
failed = 0
called = 0


def call(group, name, *args, **kwargs):
    """Calls an operation with its headers, says how it went, and gives its answer and its headers."""
    global called, failed
    called += 1
    try:
        answer, status, headers = getattr(getattr(harbor_client, group)(api), f"{name}_with_http_info")(*args, **kwargs)
        print("ok", name, status)
        return answer, headers
    except Exception as error:  # whatever it is, the walk goes on and tells of it
        failed += 1
        detail = error.body if isinstance(error, ApiException) else ""
        print("FAIL", name, repr(error)[:200], detail)
        return None, {}


def made(headers):
    return int(headers.get("Location", "/0").split("/")[-1])


call("PingApi", "get_ping")
call("HealthApi", "get_health")
call("SysteminfoApi", "get_system_info")
call("ConfigureApi", "get_configurations")
call("ConfigureApi", "get_internalconfig")
call("ConfigureApi", "update_configurations", harbor_client.Configurations(banner_message="hello"))
_, headers = call("ProjectApi", "create_project", harbor_client.ProjectReq(project_name="generated", metadata={"public": "false"}))
project = made(headers)
call("ProjectApi", "head_project", "generated")
call("ProjectApi", "get_project", "generated")
call("ProjectApi", "list_projects", page=1, page_size=10)
call("ProjectApi", "get_project_summary", "generated")
call("ProjectApi", "get_project_deletable", "generated")
call("ProjectApi", "get_logs", "generated")
call("ProjectApi", "list_artifacts_of_project", "library")
call("ProjectApi", "get_scanner_of_project", "generated")
call("ProjectApi", "list_scanner_candidates_of_project", "generated")
call("ProjectMetadataApi", "list_project_metadatas", "generated")
call("MemberApi", "list_project_members", "generated")
_, headers = call("UserApi", "create_user", harbor_client.UserCreationReq(username="bob", email="bob@example.com", realname="Bob", password="Builder12345"))
user = made(headers)
call("UserApi", "list_users")
call("UserApi", "get_user", user)
call("UserApi", "get_current_user_info")
_, headers = call("MemberApi", "create_project_member", "generated", project_member=harbor_client.ProjectMember(role_id=2, member_user={"username": "bob"}))
member = made(headers)
call("MemberApi", "get_project_member", "generated", member)
call("MemberApi", "update_project_member", "generated", member, role=harbor_client.RoleRequest(role_id=3))
call("MemberApi", "delete_project_member", "generated", member)
call("UserApi", "delete_user", user)
_, headers = call("LabelApi", "create_label", harbor_client.Label(name="good", scope="p", project_id=project))
label = made(headers)
call("LabelApi", "list_labels", scope="p", project_id=project)
call("LabelApi", "get_label_by_id", label)
call("LabelApi", "update_label", label, harbor_client.Label(name="better"))
call("LabelApi", "delete_label", label)
_, headers = call("UsergroupApi", "create_user_group", usergroup=harbor_client.UserGroup(group_name="ops", group_type=3))
group = made(headers)
call("UsergroupApi", "list_user_groups")
call("UsergroupApi", "search_user_groups", "op")
call("UsergroupApi", "get_user_group", group)
call("UsergroupApi", "delete_user_group", group)
call("ArtifactApi", "list_artifacts", "library", "app", with_tag=True, with_label=True, with_accessory=True)
artifact, _ = call("ArtifactApi", "get_artifact", "library", "app", "1.0.0")
call("ArtifactApi", "list_tags", "library", "app", "1.0.0")
call("ArtifactApi", "list_accessories", "library", "app", "1.0.0")
call("ArtifactApi", "copy_artifact", "generated", "copied", "library/app:1.0.0")
call("ArtifactApi", "delete_artifact", "generated", "copied", "1.0.0")
call("RepositoryApi", "list_all_repositories")
call("RepositoryApi", "list_repositories", "library")
call("RepositoryApi", "get_repository", "library", "app")
call("RepositoryApi", "delete_repository", "generated", "copied")
call("AuditlogApi", "list_audit_logs")
call("QuotaApi", "list_quotas")
call("QuotaApi", "get_quota", project)
call("RobotApi", "list_robot")
call("JobserviceApi", "get_worker_pools")
call("JobserviceApi", "list_job_queues")
call("ScheduleApi", "list_schedules")
call("ScheduleApi", "get_schedule_paused", "all")
call("SearchApi", "search", "library")
call("StatisticApi", "get_statistic")
call("PermissionsApi", "get_permissions")
call("RegistryApi", "list_registries")
call("ReplicationApi", "list_replication_policies")
call("RetentionApi", "get_rentenition_metadata")
call("GcApi", "get_gc_history")
call("PurgeApi", "get_purge_history")
call("WebhookApi", "get_supported_event_types", "generated")
call("WebhookApi", "list_webhook_policies_of_project", "generated")
call("ImmutableApi", "list_immu_rules", "generated")
call("IconApi", "get_icon", artifact.icon if artifact else "none")
call("ProjectApi", "delete_project", "generated")
print(f"{called} calls, {failed} failed")
sys.exit(1 if failed else 0)
