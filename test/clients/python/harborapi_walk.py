"""Walks a live origin with the typed client `harborapi`, which checks every answer against its models.

Usage: harborapi_walk.py URL USERNAME PASSWORD; there is an image library/app:1.0.0. A line for each call; ends with 1 if one failed.
"""

import asyncio
import sys
import traceback

from harborapi import HarborAsyncClient
from harborapi import models as m

url, username, password = sys.argv[1:4]
client = HarborAsyncClient(url=f"{url}/api/v2.0/", username=username, secret=password)
failed = 0
called = 0


async def call(name, *args, **kwargs):
    """Calls an operation of the client, says how it went, and gives its answer."""
    global called, failed
    called += 1
    try:
        answer = await getattr(client, name)(*args, **kwargs)
        print("ok", name)
        return answer
    except Exception as error:  # whatever it is, the walk goes on and tells of it
        failed += 1
        print("FAIL", name, repr(error)[:400])
        if "-v" in sys.argv:
            traceback.print_exc()
        return None


def expect(what, condition):
    global failed
    if not condition:
        failed += 1
        print("FAIL", what)


def last(location):
    return int(str(location).rstrip("/").split("/")[-1])


async def system():
    await call("ping")
    await call("health_check")
    info = await call("get_system_info")
    expect("systeminfo has a banner", info is not None and info.banner_message is not None)
    await call("get_system_volume_info")
    await call("get_statistics")
    await call("get_permissions")
    await call("search", "library")
    await call("get_current_user")
    await call("get_current_user_permissions")
    config = await call("get_config")
    expect("auth_mode", config is not None and config.auth_mode.value == "db_auth")
    await call("update_config", m.Configurations(banner_message="hello"))
    await call("get_quotas")
    await call("get_audit_logs")
    await call("get_gc_jobs")
    await call("get_gc_schedule")
    schedule = m.Schedule(schedule=m.ScheduleObj(type="Daily", cron="0 0 0 * * *"), parameters={"delete_untagged": True})
    await call("create_gc_schedule", schedule)
    await call("update_gc_schedule", m.Schedule(schedule=m.ScheduleObj(type="None", cron="")))
    purge = m.Schedule(
        schedule=m.ScheduleObj(type="Daily", cron="0 0 0 * * *"),
        parameters={"audit_retention_hour": 168, "dry_run": True, "include_operations": "create,delete,pull"},
    )
    await call("create_purge_job_schedule", purge)
    await call("get_purge_job_schedule")
    await call("update_purge_job_schedule", m.Schedule(schedule=m.ScheduleObj(type="None", cron="")))
    await call("get_purge_job_history")
    await call("ping_ldap", m.LdapConf(ldap_url="ldap://127.0.0.1:1"))


async def people():
    await call("create_user", m.UserCreationReq(username="ada", email="ada@example.com", realname="Ada", password="Lovelace1815", comment=""))
    await call("get_users")
    user = await call("get_user_by_username", "ada")
    if user is None:
        return
    await call("get_user", user.user_id)
    await call("search_users_by_username", "ad")
    await call("update_user", user.user_id, m.UserProfile(email="a@example.com", realname="A", comment="c"))
    await call("set_user_admin", user.user_id, True)
    await call("set_user_admin", user.user_id, False)
    await call("set_user_password", user.user_id, "Byron12345")
    group = last(await call("create_usergroup", m.UserGroup(group_name="staff", group_type=3)))
    await call("get_usergroups")
    await call("get_usergroup", group)
    await call("search_usergroups", "sta")
    await call("update_usergroup", group, m.UserGroup(group_name="crew", group_type=3))
    members = "typed"
    await call("add_project_member_user", members, "ada", 2)
    await call("add_project_member_group", members, group, 3)
    listed = await call("get_project_members", members)
    mine = next(member for member in listed or [] if member.entity_name == "ada")
    await call("get_project_member", members, mine.id)
    await call("update_project_member_role", members, mine.id, 4)
    await call("remove_project_member", members, mine.id)
    await call("delete_usergroup", group)
    await call("delete_user", user.user_id)


async def projects():
    await call("create_project", m.ProjectReq(project_name="typed", public=False, storage_limit=107374182400))
    await call("get_projects")
    everything = await call("get_projects", page=0, page_size=0)
    expect("page=0&page_size=0 is everything", len(everything or []) >= 2)
    await call("project_exists", "typed")
    project = await call("get_project", "typed")
    await call("update_project", "typed", m.ProjectReq(metadata=m.ProjectMetadata(public="true")))
    await call("get_project_summary", "typed")
    await call("get_project_deletable", "typed")
    await call("get_project_metadata", "typed")
    await call("set_project_metadata", "typed", m.ProjectMetadata(auto_scan="true"))
    await call("get_project_metadata_entry", "typed", "auto_scan")
    await call("update_project_metadata_entry", "typed", "auto_scan", m.ProjectMetadata(auto_scan="false"))
    await call("delete_project_metadata_entry", "typed", "auto_scan")
    await call("get_project_logs", "typed")
    await call("get_quota", project.project_id)
    await call("update_quota", project.project_id, m.QuotaUpdateReq(hard={"storage": 5000000}))

    label = last(await call("create_label", m.Label(name="stable", scope="p", project_id=project.project_id, color="#00ab9a")))
    everywhere = last(await call("create_label", m.Label(name="everywhere", scope="g")))
    await call("get_labels", scope="g")
    await call("get_labels", scope="p", project_id=project.project_id)
    await call("get_label", label)
    await call("update_label", label, m.Label(name="steady", color="#fff", scope="p", project_id=project.project_id))

    robot = m.RobotCreate(
        name="ci",
        level="project",
        duration=30,
        permissions=[
            m.RobotPermission(
                kind="project",
                namespace="typed",
                access=[m.Access(resource="repository", action="push"), m.Access(resource="repository", action="pull")],
            )
        ],
    )
    made = await call("create_robot", robot)
    expect("the robot's name", made is not None and made.name == "robot$typed+ci")
    listed = await call("get_robots", query=f"Level=project,ProjectID={project.project_id}")
    expect("the robot is listed", any(each.name == "robot$typed+ci" for each in listed or []))
    one = await call("get_robot", made.id)
    one.description = "builds"
    await call("update_robot", made.id, one)
    await call("refresh_robot_secret", made.id, "Refreshed12345")
    await call("delete_robot", made.id)

    policy = m.WebhookPolicy(
        name="ci",
        targets=[m.WebhookTargetObject(type="http", address="https://ci.example.com", skip_cert_verify=False, payload_format="Default")],
        event_types=["PUSH_ARTIFACT"],
        enabled=True,
    )
    await call("get_webhook_supported_events", "typed")
    await call("create_webhook_policy", "typed", policy)
    hooks = await call("get_webhook_policies", "typed")
    await call("get_webhook_policy", "typed", hooks[0].id)
    await call("update_webhook_policy", "typed", hooks[0].id, policy)
    await call("get_webhook_policy_last_trigger", "typed")
    await call("get_webhook_jobs", "typed", hooks[0].id)
    await call("delete_webhook_policy", "typed", hooks[0].id)

    selector = lambda decoration: [m.ImmutableSelector(kind="doublestar", decoration=decoration, pattern="**")]
    rule = m.ImmutableRule(
        action="immutable", template="immutable_template", scope_selectors={"repository": selector("repoMatches")}, tag_selectors=selector("matches")
    )
    await call("create_project_immutable_tag_rule", "typed", rule)
    rules = await call("get_project_immutable_tag_rules", "typed")
    await call("update_project_immutable_tag_rule", "typed", rules[0].id, rules[0])
    await call("delete_project_immutable_tag_rule", "typed", rules[0].id)

    await call("get_retention_metadata")
    retention = m.RetentionPolicy(
        algorithm="or",
        scope=m.RetentionPolicyScope(level="project", ref=project.project_id),
        trigger=m.RetentionRuleTrigger(kind="Schedule", settings={"cron": ""}),
        rules=[
            m.RetentionRule(
                disabled=False,
                action="retain",
                template="latestPushedK",
                params={"latestPushedK": 3},
                tag_selectors=[m.RetentionSelector(kind="doublestar", decoration="matches", pattern="**")],
                scope_selectors={"repository": [m.RetentionSelector(kind="doublestar", decoration="repoMatches", pattern="**")]},
            )
        ],
    )
    await call("create_retention_policy", retention)
    kept = await call("get_project_retention_id", "typed")
    await call("get_retention_policy", kept)
    await call("update_retention_policy", kept, retention)
    await call("start_retention_execution", kept, dry_run=True)
    runs = await call("get_retention_executions", kept)
    await call("get_retention_tasks", kept, runs[0].id)
    await call("delete_retention_policy", kept)
    await call("delete_label", label)
    return everywhere


async def artifacts(label):
    await call("get_repositories")
    await call("get_repositories", "library")
    await call("get_repository", "library", "app")
    await call("update_repository", "library", "app", m.Repository(description="an app"))
    found = await call("get_artifacts", "library", "app", with_label=True, with_tag=True, with_accessory=True)
    one = await call("get_artifact", "library", "app", "1.0.0")
    expect("one artifact", len(found or []) == 1 and one.digest == found[0].digest)
    await call("get_artifact_tags", "library", "app", "1.0.0")
    await call("create_artifact_tag", "library", "app", "1.0.0", m.Tag(name="latest"))
    await call("delete_artifact_tag", "library", "app", "1.0.0", "latest")
    await call("get_artifact_build_history", "library", "app", "1.0.0")
    await call("get_artifact_accessories", "library", "app", "1.0.0")
    await call("add_artifact_label", "library", "app", "1.0.0", m.Label(id=label))
    await call("delete_artifact_label", "library", "app", "1.0.0", label)
    await call("get_icon", one.icon)
    await call("get_project_artifacts", "library")
    await call("copy_artifact", "typed", "copied", "library/app:1.0.0")
    await call("get_artifact", "typed", "copied", "1.0.0")
    await call("delete_artifact", "typed", "copied", "1.0.0")
    await call("delete_repository", "typed", "copied")
    await call("delete_label", label)


async def registries():
    await call("get_registry_adapters")
    await call("get_registry_providers")
    await call(
        "create_registry",
        m.Registry(name="hub", url="https://registry.invalid", type="docker-registry", credential=m.RegistryCredential(type="basic", access_key="a", access_secret="b")),
    )
    known = next(each for each in await call("get_registries") or [] if each.name == "hub")
    await call("get_registry", known.id)
    await call("get_registry_info", known.id)
    await call("update_registry", known.id, m.RegistryUpdate(description="far away"))
    policy = m.ReplicationPolicy(
        name="out", dest_registry=m.Registry(id=known.id), trigger=m.ReplicationTrigger(type="manual"), filters=[m.ReplicationFilter(type="name", value="library/**")]
    )
    await call("create_replication_policy", policy)
    rules = await call("get_replication_policies")
    rule = next(each for each in rules if each.name == "out")
    await call("get_replication_policy", rule.id)
    await call("update_replication_policy", rule.id, rule)
    started = await call("start_replication", rule.id)
    await call("get_replications")
    await call("get_replication", last(started))
    await call("get_replication_tasks", last(started))
    await call("stop_replication", last(started))
    await call("delete_replication_policy", rule.id)
    await call("delete_registry", known.id)


async def main():
    await system()
    label = await projects()
    await people()
    await artifacts(label)
    await registries()
    await call("delete_project", "typed")
    print(f"{called} calls, {failed} failed")
    sys.exit(1 if failed else 0)


asyncio.run(main())
