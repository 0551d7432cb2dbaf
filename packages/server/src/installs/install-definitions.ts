import { createRoute, z } from '@hono/zod-openapi'
import { later } from '../api/operation-definitions.ts'
import { PluginView } from '../api/plugin-view.ts'
import { ChangeHeaders, Id, json, Precondition, problem } from '../api/route-parts.ts'
import { PlanView } from './install-views.ts'

const Reference = z.string().min(1).max(2_000).describe('Such as `npm:@acme/s3@^1.2`, `/srv/packages/s3.tgz`.')
const PluginId = z.string().max(130)

const ChangeView = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('add'), reference: Reference }),
    z.strictObject({ kind: z.literal('update'), id: PluginId.optional().describe('Default: everything.') }),
    z.strictObject({
      kind: z.literal('remove'),
      id: PluginId,
      with_users: z.boolean().optional().describe('Also what needs it.'),
    }),
  ])
  .openapi('InstallChange')
/** What {@link ChangeView} describes. */
export type ChangeView = z.output<typeof ChangeView>

const Changes = z.array(ChangeView).min(1).max(1_000)
const Approvals = z
  .record(PluginId, z.array(z.string().max(2_000)).max(1_000))
  .describe('Permissions by plugin id, each as the plan writes it. What is not named is not approved.')

const Withheld = z
  .record(PluginId, z.array(z.string().max(2_000)).max(1_000))
  .default({})
  .describe('What is kept from plugins that come, by id; it needs no approval. What was withheld before stays so.')

/** What was done, and what became of it. */
export const AppliedView = z
  .object({
    message: z.string(),
    plan: PlanView,
    plugins: z.array(PluginView).describe('Those that were installed or updated, as they are now.'),
  })
  .openapi('InstallApplied')

const plan = createRoute({
  method: 'post',
  path: '/api/plugins/plan',
  summary: 'What changes of what is installed come to; nothing is written',
  request: {
    headers: ChangeHeaders,
    body: {
      required: true,
      content: { 'application/json': { schema: z.strictObject({ changes: Changes, withheld: Withheld }) } },
    },
  },
  responses: { 200: json(PlanView, 'The plan; its ETag is for `apply`.'), ...later, default: problem },
})

const apply = createRoute({
  method: 'post',
  path: '/api/plugins/apply',
  summary: 'Do what a plan says, if it still comes to the same; 409 when it does not',
  request: {
    headers: ChangeHeaders,
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            changes: Changes,
            etag: z.string().max(200),
            approvals: Approvals.default({}),
            withheld: Withheld,
            force: z.boolean().default(false).describe('Also removes what is in use: what it is at is ended.'),
          }),
        },
      },
    },
  },
  responses: { 200: json(AppliedView, 'What was done.'), ...later, default: problem },
})

const InstallRequest = z
  .strictObject({
    source: Reference.optional(),
    path: z.string().max(2_000).optional().describe('A folder or an archive of the host, in a directory it allows.'),
    url: z.string().max(2_000).optional().describe('Of an archive, where the host allows that.'),
    validate: z.literal(true, 'every package is validated').optional().describe('It always is.'),
    approvals: Approvals.default({}),
    withheld: Withheld,
  })
  .refine(({ source, path, url }) => [source, path, url].filter((one) => one !== undefined).length === 1, {
    error: 'one of source, path and url must be given',
  })
const Form = z.object({ plugin: z.string().openapi({ format: 'binary' }) })

const installing = {
  method: 'post',
  path: '/api/plugins/install',
  summary: 'Install from a reference, a path or a URL, or an archive that is sent along (multipart field `plugin`)',
  responses: { 201: json(AppliedView, 'It is installed.'), ...later, default: problem },
} as const
const asJson = { 'application/json': { schema: InstallRequest } } as const

const install = createRoute({
  ...installing,
  request: {
    headers: ChangeHeaders,
    body: { required: true, content: { ...asJson, 'multipart/form-data': { schema: Form } } },
  },
})

/** The part of `install` that is read as JSON; an archive is taken before it. */
export const installFromJson = createRoute({
  ...installing,
  hide: true,
  request: { headers: ChangeHeaders, body: { required: true, content: asJson } },
})

const UploadView = z
  .object({
    message: z.string(),
    reference: z.string().describe('To plan and install it by.'),
    id: z.string(),
    version: z.string(),
    size_bytes: z.int(),
  })
  .openapi('Upload')

const upload = createRoute({
  method: 'post',
  path: '/api/plugins/upload',
  summary: 'Send an archive to be installed later; it is read and checked whole, and kept for a day unless it is installed',
  request: {
    body: {
      required: true,
      content: { 'multipart/form-data': { schema: Form } },
    },
  },
  responses: { 201: json(UploadView, 'It is in order.'), default: problem },
})

const update = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/update',
  summary: 'Install the best version that what was asked for allows',
  request: {
    params: z.object({ id: Id }),
    headers: Precondition,
    body: {
      content: { 'application/json': { schema: z.strictObject({ approvals: Approvals.optional(), withheld: Withheld }) } },
    },
  },
  responses: { 200: json(AppliedView, 'What was done.'), ...later, default: problem },
})

const OutdatedView = z
  .object({
    plugins: z.array(
      z.object({
        id: z.string(),
        version: z.string(),
        requested: z.string(),
        available: z
          .string()
          .nullable()
          .describe('What an update would bring; null when there is nothing, or it cannot be told.'),
        unapproved: z.array(z.string()).describe('Permissions that would have to be approved for it.'),
        problem: z
          .object({ code: z.string(), message: z.string() })
          .nullable()
          .describe('Why it cannot be told, or may not be taken.'),
      }),
    ),
    count: z.int().describe('Of those that something newer can be had of.'),
  })
  .openapi('Outdated')

const outdated = createRoute({
  method: 'get',
  path: '/api/plugins/outdated',
  summary: 'What something newer can be had of; asks where each comes from',
  responses: { 200: json(OutdatedView, 'Everything that was asked for, by id.'), default: problem },
})

const FoundView = z
  .object({
    query: z.string(),
    packages: z.array(
      z.object({
        reference: z.string().describe('To install it by.'),
        source: z.string().describe('Which index or registry has it.'),
        name: z.string(),
        version: z.string().nullable().describe('The latest; null where nobody says.'),
        description: z.string().nullable(),
        tags: z.array(z.string()),
        as_of: z.string().nullable().describe('When the index that says so was signed.'),
      }),
    ),
    problems: z
      .array(z.object({ source: z.string(), code: z.string(), message: z.string() }))
      .describe('Who could not be asked; of an index it is what it said before.'),
    count: z.int(),
  })
  .openapi('FoundPackages')

const searchPackages = createRoute({
  method: 'get',
  path: '/api/packages/search',
  summary:
    'Packages that can be installed, in the indexes and registries of the host; for what is installed: /api/plugins/search',
  request: { query: z.object({ q: z.string().max(500).default('').describe('Words; each must be there. All for none.') }) },
  responses: { 200: json(FoundView, 'What there is, by source.'), default: problem },
})

/** All of them. */
export const definitions = {
  plan,
  apply,
  install,
  upload,
  update,
  outdated,
  searchPackages,
} as const
