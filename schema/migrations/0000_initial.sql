CREATE TABLE `audit_log` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`time` integer NOT NULL,
	`actor` text NOT NULL,
	`username` text NOT NULL,
	`operation` text NOT NULL,
	`resource_type` text NOT NULL,
	`resource` text NOT NULL,
	`project_id` integer,
	`address` text NOT NULL,
	`succeeded` integer NOT NULL,
	`count` integer NOT NULL,
	`detail` text NOT NULL,
	`hash` text NOT NULL,
	`purged` integer DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_log_of_project` ON `audit_log` (`project_id`,`purged`);--> statement-breakpoint
CREATE INDEX `audit_log_of_user` ON `audit_log` (`username`,`purged`);--> statement-breakpoint
CREATE INDEX `audit_log_of_operation` ON `audit_log` (`operation`,`purged`);--> statement-breakpoint
CREATE INDEX `audit_log_of_type` ON `audit_log` (`resource_type`,`purged`);--> statement-breakpoint
CREATE INDEX `audit_log_of_resource` ON `audit_log` (`resource`,`purged`);--> statement-breakpoint
CREATE INDEX `audit_log_failed` ON `audit_log` (`purged`) WHERE "audit_log"."succeeded" = 0;--> statement-breakpoint
CREATE INDEX `audit_log_by_time` ON `audit_log` (`time`,`purged`);--> statement-breakpoint
CREATE INDEX `audit_log_purged` ON `audit_log` (`purged`) WHERE "audit_log"."purged" = 1;--> statement-breakpoint
CREATE TABLE `audit_named` (
	`id` integer PRIMARY KEY NOT NULL,
	`upto` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `audit_names` (
	`id` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_names_name` ON `audit_names` (`kind`,`name`);--> statement-breakpoint
CREATE TABLE `blobs` (
	`digest` text PRIMARY KEY NOT NULL,
	`size` integer NOT NULL,
	`created_at` integer NOT NULL,
	`condemned_at` integer,
	`claimed_at` integer
);
--> statement-breakpoint
CREATE INDEX `blobs_condemned` ON `blobs` (`condemned_at`,`digest`) WHERE "blobs"."condemned_at" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `repository_blobs` (
	`repository_id` integer NOT NULL,
	`digest` text NOT NULL,
	`project_id` integer NOT NULL,
	`size` integer NOT NULL,
	`counted` integer DEFAULT 1 NOT NULL,
	`needed_at` integer NOT NULL,
	PRIMARY KEY(`repository_id`, `digest`),
	FOREIGN KEY (`repository_id`) REFERENCES `repositories`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`digest`) REFERENCES `blobs`(`digest`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `repository_blobs_by_digest` ON `repository_blobs` (`digest`,`repository_id`);--> statement-breakpoint
CREATE INDEX `repository_blobs_of_project` ON `repository_blobs` (`project_id`,`digest`);--> statement-breakpoint
CREATE TABLE `uploads` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` integer NOT NULL,
	`repository` text NOT NULL,
	`algorithm` text NOT NULL,
	`actor` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `uploads_by_age` ON `uploads` (`updated_at`,`id`);--> statement-breakpoint
CREATE INDEX `uploads_of_project` ON `uploads` (`project_id`);--> statement-breakpoint
CREATE TABLE `changes` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`site` text NOT NULL,
	`time` integer NOT NULL,
	`actor` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`project_id` integer,
	`before` text,
	`after` text,
	`detail` text
);
--> statement-breakpoint
CREATE INDEX `changes_of_project` ON `changes` (`project_id`,`seq`);--> statement-breakpoint
CREATE TABLE `cursors` (
	`consumer` text PRIMARY KEY NOT NULL,
	`seq` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `deliveries` (
	`endpoint_id` integer NOT NULL,
	`destination` text NOT NULL,
	`tag` text NOT NULL,
	`repository` text NOT NULL,
	`digest` text NOT NULL,
	`referrers` text NOT NULL,
	`parts` text NOT NULL,
	`bytes` integer NOT NULL,
	`delivered_at` integer NOT NULL,
	PRIMARY KEY(`endpoint_id`, `destination`, `tag`),
	FOREIGN KEY (`endpoint_id`) REFERENCES `endpoints`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `deliveries_by_time` ON `deliveries` (`endpoint_id`,`delivered_at`);--> statement-breakpoint
CREATE INDEX `deliveries_by_repository` ON `deliveries` (`endpoint_id`,`repository`,`destination`);--> statement-breakpoint
CREATE TABLE `endpoints` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`type` text NOT NULL,
	`url` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`credential_type` text,
	`access_key` text,
	`sealed_secret` text,
	`insecure` integer DEFAULT false NOT NULL,
	`ca_certificate` text,
	`status` text DEFAULT 'unknown' NOT NULL,
	`status_text` text DEFAULT '' NOT NULL,
	`checked_at` integer,
	`jobs_at_once` integer DEFAULT 0 NOT NULL,
	`speed` integer DEFAULT 0 NOT NULL,
	`project_id` integer,
	`expires_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `endpoints_name` ON `endpoints` (`name`);--> statement-breakpoint
CREATE INDEX `endpoints_by_check` ON `endpoints` (`checked_at`);--> statement-breakpoint
CREATE INDEX `endpoints_of_project` ON `endpoints` (`project_id`);--> statement-breakpoint
CREATE TABLE `guesses` (
	`key` text PRIMARY KEY NOT NULL,
	`failures` integer NOT NULL,
	`since` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `guesses_by_age` ON `guesses` (`since`);--> statement-breakpoint
CREATE TABLE `known_addresses` (
	`key` text PRIMARY KEY NOT NULL,
	`used_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `known_addresses_by_age` ON `known_addresses` (`used_at`);--> statement-breakpoint
CREATE TABLE `immutable_rules` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`disabled` integer NOT NULL,
	`priority` integer NOT NULL,
	`repositories` text NOT NULL,
	`tags` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `immutable_rules_of_project` ON `immutable_rules` (`project_id`,`id`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`payload` text NOT NULL,
	`state` text NOT NULL,
	`priority` integer DEFAULT 0 NOT NULL,
	`lane` integer DEFAULT 0 NOT NULL,
	`run_at` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`max_attempts` integer NOT NULL,
	`lease_owner` text,
	`lease_until` integer,
	`fence` integer DEFAULT 0 NOT NULL,
	`progress` text,
	`error` text,
	`idempotency_key` text,
	`merge_key` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`finished_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_idempotency_key` ON `jobs` (`idempotency_key`) WHERE "jobs"."idempotency_key" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `jobs_merged` ON `jobs` (`merge_key`,`id`) WHERE "jobs"."merge_key" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `jobs_to_run` ON `jobs` (`state`,`kind`,`lane`,`priority`,`run_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_of_kind` ON `jobs` (`kind`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_leased` ON `jobs` (`lease_until`) WHERE "jobs"."state" = 'running';--> statement-breakpoint
CREATE INDEX `jobs_finished` ON `jobs` (`finished_at`) WHERE "jobs"."finished_at" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `lane_pauses` (
	`lane` integer PRIMARY KEY NOT NULL,
	`failures` integer NOT NULL,
	`until` integer NOT NULL,
	`reason` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `transfers` (
	`destination` text NOT NULL,
	`repository` text NOT NULL,
	`digest` text NOT NULL,
	`location` text NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`destination`, `repository`, `digest`)
);
--> statement-breakpoint
CREATE INDEX `transfers_by_age` ON `transfers` (`updated_at`);--> statement-breakpoint
CREATE TABLE `artifact_labels` (
	`manifest_id` integer NOT NULL,
	`label_id` integer NOT NULL,
	PRIMARY KEY(`manifest_id`, `label_id`),
	FOREIGN KEY (`manifest_id`) REFERENCES `manifests`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`label_id`) REFERENCES `labels`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `artifact_labels_by_label` ON `artifact_labels` (`label_id`);--> statement-breakpoint
CREATE TABLE `labels` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`color` text DEFAULT '' NOT NULL,
	`project_id` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `labels_by_name` ON `labels` (`project_id`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `labels_of_system` ON `labels` (`name`) WHERE "labels"."project_id" IS NULL;--> statement-breakpoint
CREATE TABLE `leases` (
	`name` text PRIMARY KEY NOT NULL,
	`owner` text NOT NULL,
	`until` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `edge_enrolment_tokens` (
	`hash` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`region` text DEFAULT '' NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	`creator` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `edge_enrolment_tokens_by_expiry` ON `edge_enrolment_tokens` (`expires_at`);--> statement-breakpoint
CREATE TABLE `edges` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`region` text DEFAULT '' NOT NULL,
	`url` text NOT NULL,
	`public_jwk` text NOT NULL,
	`version` text DEFAULT '' NOT NULL,
	`status` text NOT NULL,
	`enrolled_at` integer NOT NULL,
	`revoked_at` integer,
	`drained_at` integer,
	`last_seen_at` integer,
	`cursor` integer DEFAULT 0 NOT NULL,
	`stats` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `edges_name` ON `edges` (`name`) WHERE "edges"."revoked_at" IS NULL;--> statement-breakpoint
CREATE INDEX `edges_by_name` ON `edges` (`name`,`id`);--> statement-breakpoint
CREATE TABLE `signing_keys` (
	`kid` text PRIMARY KEY NOT NULL,
	`algorithm` text NOT NULL,
	`public_jwk` text NOT NULL,
	`sealed_private` text NOT NULL,
	`created_at` integer NOT NULL,
	`retired_at` integer
);
--> statement-breakpoint
CREATE TABLE `preheat_instances` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`endpoint` text NOT NULL,
	`enabled` integer NOT NULL,
	`standard` integer NOT NULL,
	`insecure` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `preheat_instances_name` ON `preheat_instances` (`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `preheat_instances_endpoint` ON `preheat_instances` (`endpoint`);--> statement-breakpoint
CREATE TABLE `preheat_policies` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`instance_id` integer NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`filters` text NOT NULL,
	`trigger` text NOT NULL,
	`cron` text,
	`enabled` integer NOT NULL,
	`extra_attributes` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`instance_id`) REFERENCES `preheat_instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `preheat_policies_name` ON `preheat_policies` (`project_id`,`name`);--> statement-breakpoint
CREATE INDEX `preheat_policies_of_instance` ON `preheat_policies` (`instance_id`);--> statement-breakpoint
CREATE INDEX `preheat_policies_on_push` ON `preheat_policies` (`id`) WHERE "preheat_policies"."enabled" = 1 AND "preheat_policies"."trigger" = 'event_based';--> statement-breakpoint
CREATE TABLE `group_users` (
	`group_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	PRIMARY KEY(`user_id`, `group_id`)
);
--> statement-breakpoint
CREATE INDEX `group_users_by_group` ON `group_users` (`group_id`);--> statement-breakpoint
CREATE TABLE `members` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`kind` text NOT NULL,
	`subject_id` integer NOT NULL,
	`role` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `members_subject` ON `members` (`project_id`,`kind`,`subject_id`);--> statement-breakpoint
CREATE INDEX `members_by_subject` ON `members` (`kind`,`subject_id`,`project_id`);--> statement-breakpoint
CREATE TABLE `projects` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`owner_id` integer NOT NULL,
	`public` integer NOT NULL,
	`storage_limit` integer DEFAULT -1 NOT NULL,
	`storage_used` integer DEFAULT 0 NOT NULL,
	`storage_pending` integer DEFAULT 0 NOT NULL,
	`endpoint_id` integer,
	`metadata` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer,
	FOREIGN KEY (`owner_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`endpoint_id`) REFERENCES `endpoints`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `projects_name` ON `projects` (`name`);--> statement-breakpoint
CREATE INDEX `projects_by_owner` ON `projects` (`owner_id`);--> statement-breakpoint
CREATE INDEX `projects_by_visibility` ON `projects` (`public`,`name`);--> statement-breakpoint
CREATE INDEX `projects_by_endpoint` ON `projects` (`endpoint_id`) WHERE "projects"."endpoint_id" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `pull_spools` (
	`edge` text NOT NULL,
	`spool` text NOT NULL,
	`number` integer NOT NULL,
	`lost` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`edge`, `spool`)
);
--> statement-breakpoint
CREATE TABLE `pulls` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`edge` text,
	`subject` text NOT NULL,
	`repository` text NOT NULL,
	`digest` text NOT NULL,
	`tag` text,
	`client` text,
	`count` integer NOT NULL,
	`first` integer NOT NULL,
	`last` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `pulls_by_time` ON `pulls` (`last`);--> statement-breakpoint
CREATE TABLE `replication_executions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`policy_id` integer NOT NULL,
	`trigger` text NOT NULL,
	`status` text NOT NULL,
	`status_text` text DEFAULT '' NOT NULL,
	`note` text DEFAULT '' NOT NULL,
	`operator` text NOT NULL,
	`started_at` integer NOT NULL,
	`ended_at` integer,
	FOREIGN KEY (`policy_id`) REFERENCES `replication_policies`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `replication_executions_of_policy` ON `replication_executions` (`policy_id`,`id`);--> statement-breakpoint
CREATE INDEX `replication_executions_by_status` ON `replication_executions` (`status`,`id`);--> statement-breakpoint
CREATE INDEX `replication_executions_ended` ON `replication_executions` (`ended_at`);--> statement-breakpoint
CREATE TABLE `replication_policies` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`src_endpoint_id` integer,
	`dest_endpoint_id` integer,
	`dest_namespace` text DEFAULT '' NOT NULL,
	`dest_replace_count` integer DEFAULT -1 NOT NULL,
	`trigger` text NOT NULL,
	`cron` text,
	`filters` text NOT NULL,
	`replicate_deletion` integer DEFAULT false NOT NULL,
	`override` integer DEFAULT true NOT NULL,
	`enabled` integer DEFAULT true NOT NULL,
	`speed` integer DEFAULT 0 NOT NULL,
	`copy_by_chunk` integer DEFAULT false NOT NULL,
	`single_active` integer DEFAULT false NOT NULL,
	`creator` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`src_endpoint_id`) REFERENCES `endpoints`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`dest_endpoint_id`) REFERENCES `endpoints`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `replication_policies_name` ON `replication_policies` (`name`);--> statement-breakpoint
CREATE INDEX `replication_policies_by_trigger` ON `replication_policies` (`trigger`,`enabled`);--> statement-breakpoint
CREATE INDEX `replication_policies_from` ON `replication_policies` (`src_endpoint_id`);--> statement-breakpoint
CREATE INDEX `replication_policies_to` ON `replication_policies` (`dest_endpoint_id`);--> statement-breakpoint
CREATE TABLE `replication_tasks` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`execution_id` integer NOT NULL,
	`resource_type` text NOT NULL,
	`source` text NOT NULL,
	`destination` text NOT NULL,
	`operation` text NOT NULL,
	`status` text NOT NULL,
	`job_id` integer,
	`bytes_total` integer DEFAULT 0 NOT NULL,
	`bytes_done` integer DEFAULT 0 NOT NULL,
	`log` text DEFAULT '' NOT NULL,
	`started_at` integer,
	`ended_at` integer,
	FOREIGN KEY (`execution_id`) REFERENCES `replication_executions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `replication_tasks_of_execution` ON `replication_tasks` (`execution_id`,`id`);--> statement-breakpoint
CREATE INDEX `replication_tasks_by_status` ON `replication_tasks` (`execution_id`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `replication_tasks_into` ON `replication_tasks` (`execution_id`,`destination`);--> statement-breakpoint
CREATE TABLE `deleted_tags` (
	`repository` text NOT NULL,
	`name` text NOT NULL,
	`version` text NOT NULL,
	`context` text NOT NULL,
	`seen` text NOT NULL,
	`deleted_at` integer NOT NULL,
	PRIMARY KEY(`repository`, `name`)
);
--> statement-breakpoint
CREATE INDEX `deleted_tags_by_age` ON `deleted_tags` (`deleted_at`);--> statement-breakpoint
CREATE TABLE `manifest_contents` (
	`digest` text PRIMARY KEY NOT NULL,
	`bytes` blob NOT NULL
);
--> statement-breakpoint
CREATE TABLE `manifest_references` (
	`manifest_id` integer NOT NULL,
	`repository_id` integer NOT NULL,
	`position` integer NOT NULL,
	`kind` text NOT NULL,
	`digest` text NOT NULL,
	`size` integer NOT NULL,
	PRIMARY KEY(`manifest_id`, `position`),
	FOREIGN KEY (`manifest_id`) REFERENCES `manifests`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `manifest_references_of_repository` ON `manifest_references` (`repository_id`,`digest`,`manifest_id`);--> statement-breakpoint
CREATE TABLE `manifests` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`repository_id` integer NOT NULL,
	`project_id` integer NOT NULL,
	`digest` text NOT NULL,
	`media_type` text NOT NULL,
	`artifact_type` text,
	`config_media_type` text,
	`kind` text NOT NULL,
	`size` integer NOT NULL,
	`total_size` integer NOT NULL,
	`subject` text,
	`top` integer NOT NULL,
	`tagged` integer NOT NULL,
	`annotations` text,
	`pusher` text NOT NULL,
	`pushed_at` integer NOT NULL,
	`pulled_at` integer,
	FOREIGN KEY (`repository_id`) REFERENCES `repositories`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`digest`) REFERENCES `manifest_contents`(`digest`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `manifests_digest` ON `manifests` (`repository_id`,`digest`);--> statement-breakpoint
CREATE INDEX `manifests_by_digest` ON `manifests` (`digest`,`project_id`);--> statement-breakpoint
CREATE INDEX `manifests_by_push` ON `manifests` (`repository_id`,`top`,`pushed_at`,`tagged`,`kind`);--> statement-breakpoint
CREATE INDEX `manifests_by_type` ON `manifests` (`repository_id`,CASE WHEN config_media_type IS NULL THEN media_type ELSE config_media_type END,`top`,`pushed_at`);--> statement-breakpoint
CREATE INDEX `manifests_by_pull` ON `manifests` (`repository_id`,`top`,`pulled_at`);--> statement-breakpoint
CREATE INDEX `manifests_by_size` ON `manifests` (`repository_id`,`top`,`total_size`);--> statement-breakpoint
CREATE INDEX `manifests_of_project_by_push` ON `manifests` (`project_id`,`top`,`pushed_at`,`tagged`,`kind`);--> statement-breakpoint
CREATE INDEX `manifests_by_subject` ON `manifests` (`repository_id`,`subject`,`digest`) WHERE "manifests"."subject" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `manifests_by_subject_type` ON `manifests` (`repository_id`,`subject`,`artifact_type`,`digest`) WHERE "manifests"."subject" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `repositories` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`name` text NOT NULL,
	`listed` integer DEFAULT false NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`pull_count` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `repositories_name` ON `repositories` (`name`);--> statement-breakpoint
CREATE INDEX `repositories_of_project` ON `repositories` (`project_id`,`listed`,`name`);--> statement-breakpoint
CREATE INDEX `repositories_listed` ON `repositories` (`name`) WHERE "repositories"."listed" = 1;--> statement-breakpoint
CREATE TABLE `tags` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`repository_id` integer NOT NULL,
	`name` text NOT NULL,
	`digest` text NOT NULL,
	`pushed_at` integer NOT NULL,
	`pulled_at` integer,
	`version` text NOT NULL,
	`context` text NOT NULL,
	`seen` text NOT NULL,
	`via` text DEFAULT '' NOT NULL,
	FOREIGN KEY (`repository_id`) REFERENCES `repositories`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`repository_id`,`digest`) REFERENCES `manifests`(`repository_id`,`digest`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tags_name` ON `tags` (`repository_id`,`name`);--> statement-breakpoint
CREATE INDEX `tags_by_digest` ON `tags` (`repository_id`,`digest`,`name`);--> statement-breakpoint
CREATE TABLE `retention_executions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`policy_id` integer NOT NULL,
	`trigger` text NOT NULL,
	`dry_run` integer NOT NULL,
	`status` text NOT NULL,
	`job_id` integer,
	`started_at` integer NOT NULL,
	`ended_at` integer,
	FOREIGN KEY (`policy_id`) REFERENCES `retention_policies`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `retention_executions_of_policy` ON `retention_executions` (`policy_id`,`id`);--> statement-breakpoint
CREATE INDEX `retention_executions_of_job` ON `retention_executions` (`job_id`);--> statement-breakpoint
CREATE INDEX `retention_executions_ended` ON `retention_executions` (`ended_at`);--> statement-breakpoint
CREATE TABLE `retention_policies` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`rules` text NOT NULL,
	`cron` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `retention_policies_project` ON `retention_policies` (`project_id`);--> statement-breakpoint
CREATE TABLE `retention_tasks` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`execution_id` integer NOT NULL,
	`repository` text NOT NULL,
	`status` text NOT NULL,
	`total` integer DEFAULT 0 NOT NULL,
	`retained` integer DEFAULT 0 NOT NULL,
	`log` text DEFAULT '' NOT NULL,
	`started_at` integer NOT NULL,
	`ended_at` integer,
	FOREIGN KEY (`execution_id`) REFERENCES `retention_executions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `retention_tasks_repository` ON `retention_tasks` (`execution_id`,`repository`);--> statement-breakpoint
CREATE TABLE `robots` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`level` text NOT NULL,
	`project_id` integer,
	`secret_hash` text NOT NULL,
	`duration` integer NOT NULL,
	`expires_at` integer,
	`disabled` integer DEFAULT false NOT NULL,
	`permissions` text NOT NULL,
	`creator` text NOT NULL,
	`credential_version` integer DEFAULT 1 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `robots_of_project` ON `robots` (`project_id`,`name`) WHERE "robots"."project_id" IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `robots_of_system` ON `robots` (`name`) WHERE "robots"."project_id" IS NULL;--> statement-breakpoint
CREATE TABLE `run_tasks` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` integer NOT NULL,
	`kind` text NOT NULL,
	`target` text NOT NULL,
	`detail` text NOT NULL,
	`status` text NOT NULL,
	`status_text` text DEFAULT '' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`run_at` integer NOT NULL,
	`log` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`started_at` integer,
	`ended_at` integer,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `run_tasks_of_run` ON `run_tasks` (`run_id`,`id`);--> statement-breakpoint
CREATE INDEX `run_tasks_open` ON `run_tasks` (`kind`,`target`,`run_at`,`id`) WHERE "run_tasks"."status" IN ('Pending', 'Running');--> statement-breakpoint
CREATE TABLE `runs` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`policy_id` integer NOT NULL,
	`trigger` text NOT NULL,
	`event` text NOT NULL,
	`status` text NOT NULL,
	`status_text` text DEFAULT '' NOT NULL,
	`detail` text NOT NULL,
	`started_at` integer NOT NULL,
	`ended_at` integer,
	`key` text
);
--> statement-breakpoint
CREATE INDEX `runs_of_policy` ON `runs` (`kind`,`policy_id`,`id`);--> statement-breakpoint
CREATE INDEX `runs_by_event` ON `runs` (`kind`,`policy_id`,`event`,`started_at`);--> statement-breakpoint
CREATE INDEX `runs_by_key` ON `runs` (`key`) WHERE "runs"."key" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `runs_ended` ON `runs` (`ended_at`) WHERE "runs"."ended_at" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `schedules` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`purpose` text NOT NULL,
	`type` text NOT NULL,
	`cron` text NOT NULL,
	`job_kind` text NOT NULL,
	`payload` text NOT NULL,
	`next_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `schedules_purpose` ON `schedules` (`purpose`);--> statement-breakpoint
CREATE INDEX `schedules_due` ON `schedules` (`next_at`) WHERE "schedules"."next_at" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `oidc_links` (
	`user_id` integer PRIMARY KEY NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`sealed_secret` text NOT NULL,
	`sealed_refresh_token` text,
	`checked_at` integer NOT NULL,
	`asked_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `oidc_links_subject` ON `oidc_links` (`issuer`,`subject`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`hash` text PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`credential_version` integer NOT NULL,
	`sealed_id_token` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `sessions_by_expiry` ON `sessions` (`expires_at`);--> statement-breakpoint
CREATE INDEX `sessions_of_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE TABLE `settings` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `this_site` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `mirror_log` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`row` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `mirror_owed` (
	`digest` text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE `site_pair` (
	`id` integer PRIMARY KEY NOT NULL,
	`pair` text NOT NULL,
	`reached` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `user_groups` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`type` integer NOT NULL,
	`ldap_dn` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `user_groups_name` ON `user_groups` (`type`,`name`,`ldap_dn`);--> statement-breakpoint
CREATE INDEX `user_groups_by_name` ON `user_groups` (`name`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`username` text COLLATE NOCASE NOT NULL,
	`email` text COLLATE NOCASE,
	`realname` text DEFAULT '' NOT NULL,
	`comment` text DEFAULT '' NOT NULL,
	`password_hash` text,
	`admin` integer DEFAULT false NOT NULL,
	`admin_by_group` integer DEFAULT false NOT NULL,
	`disabled` integer DEFAULT false NOT NULL,
	`deleted_at` integer,
	`credential_version` integer DEFAULT 1 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_username` ON `users` (`username`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`) WHERE "users"."email" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `users_admin_by_group` ON `users` (`admin_by_group`,`id`) WHERE "users"."admin_by_group" = 1;--> statement-breakpoint
CREATE TABLE `webhook_policies` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`targets` text NOT NULL,
	`events` text NOT NULL,
	`enabled` integer NOT NULL,
	`creator` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `webhook_policies_name` ON `webhook_policies` (`project_id`,`name`);--> statement-breakpoint
CREATE INDEX `webhook_policies_enabled` ON `webhook_policies` (`id`) WHERE "webhook_policies"."enabled" = 1;--> statement-breakpoint
CREATE TABLE `worker_pools` (
	`id` text PRIMARY KEY NOT NULL,
	`host` text NOT NULL,
	`pid` integer NOT NULL,
	`concurrency` integer NOT NULL,
	`started_at` integer NOT NULL,
	`seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `worker_pools_seen` ON `worker_pools` (`seen_at`);