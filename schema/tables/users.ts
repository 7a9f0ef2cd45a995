import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { flag, nocase, time } from './columns.ts'

/** People. An id is never given again; a deleted user keeps his row, under another name. */
export const users = sqliteTable(
  'users',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    username: nocase().notNull(),
    email: nocase(),
    realname: text().notNull().default(''),
    comment: text().notNull().default(''),
    /** null: this user has no password here (comes from LDAP or OIDC). */
    passwordHash: text('password_hash'),
    /** Made one here. */
    admin: flag().notNull().default(false),
    /** One by a group of the directory or of the provider, as of the last login. */
    adminByGroup: flag().notNull().default(false),
    disabled: flag().notNull().default(false),
    deletedAt: time(),
    /** Goes up with each new password, so that what was given for an old one can be told apart. */
    credentialVersion: integer('credential_version').notNull().default(1),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [
    uniqueIndex('users_username').on(t.username),
    uniqueIndex('users_email').on(t.email).where(sql`${t.email} IS NOT NULL`),
    index('users_admin_by_group').on(t.adminByGroup, t.id).where(sql`${t.adminByGroup} = 1`),
  ],
)

/** Groups of an identity provider, as members of projects. */
export const userGroups = sqliteTable(
  'user_groups',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    /** Harbor's group types: 1 LDAP, 2 HTTP, 3 OIDC. */
    type: integer().notNull(),
    ldapDn: text('ldap_dn').notNull().default(''),
    createdAt: time().notNull(),
  },
  (t) => [uniqueIndex('user_groups_name').on(t.type, t.name, t.ldapDn), index('user_groups_by_name').on(t.name)],
)
