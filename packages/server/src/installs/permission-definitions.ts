import { createRoute, z } from '@hono/zod-openapi'
import { later } from '../api/operation-definitions.ts'
import { Id, json, Precondition, problem } from '../api/route-parts.ts'
import { SentenceView, VerdictView } from './install-views.ts'
import { usedShape } from './used-view.ts'

const Sentences = z.array(SentenceView)
const Permissions = z.array(z.string().max(2_000)).max(1_000)

/** What a plugin asks for, how much of it was approved, what of it was used, and the least it could be granted. */
export const PermissionsView = z
  .object({
    id: z.string(),
    version: z.string().describe('The one that serves or would.'),
    asked: Sentences.describe('By the version that serves, and by one that waits for approval. The riskiest first.'),
    approved: z.array(z.string()).nullable().describe('Null when all it asks for counts as approved.'),
    withheld: Sentences.describe('What is kept from it, whether it asks for it now or not: it runs without.'),
    unapproved: Sentences.describe('What somebody has to approve before it, or its waiting version, runs.'),
    waiting: z.string().nullable().describe('The version that waits for approval while another serves.'),
    ...usedShape,
  })
  .openapi('PluginPermissions')

const Since = z.iso.datetime({ offset: true }).describe('For `proposal`: only uses from then on count.')
const params = z.object({ id: Id })
const answers = { 200: json(PermissionsView, 'How it stands now.'), ...later, default: problem } as const

const showPermissions = createRoute({
  method: 'get',
  path: '/api/plugins/{id}/permissions',
  summary: 'What a plugin asks for, in words, what was approved, what was used, and the least it could be granted',
  request: { params, query: z.object({ since: Since.optional() }) },
  responses: { 200: json(PermissionsView, 'The permissions.'), default: problem },
})

const approve = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/approve',
  summary:
    'Approve permissions, each by its text; what was approved before stays. What is withheld takes `admin` to be given back',
  request: {
    params,
    headers: Precondition,
    body: {
      required: true,
      content: { 'application/json': { schema: z.strictObject({ permissions: Permissions.min(1) }) } },
    },
  },
  responses: answers,
})

const revoke = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/revoke',
  summary: 'Take back what was approved: the permissions that are named, or all; what runs with them is stopped',
  request: {
    params,
    headers: Precondition,
    body: { content: { 'application/json': { schema: z.strictObject({ permissions: Permissions.optional() }) } } },
  },
  responses: answers,
})

const withhold = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/withhold',
  summary: 'Keep permissions from a plugin that asks for them, each by its text: it runs without, until they are approved',
  request: {
    params,
    headers: Precondition,
    body: {
      required: true,
      content: { 'application/json': { schema: z.strictObject({ permissions: Permissions.min(1) }) } },
    },
  },
  responses: answers,
})

const grants = createRoute({
  method: 'get',
  path: '/api/grants',
  summary: 'Everything that was approved or withheld',
  responses: {
    200: json(
      z
        .object({
          grants: z.array(
            z.object({
              id: z.string(),
              permissions: Sentences,
              withheld: z.array(z.string()).describe('What is kept from it.'),
              kept_in: z.enum(['lock', 'grants']).describe('`lock` for what is installed, `grants` for everything else.'),
              by: z.string().nullable(),
              at: z.string().nullable(),
            }),
          ),
          count: z.int(),
        })
        .openapi('Grants'),
      'By id.',
    ),
    default: problem,
  },
})

const showPolicy = createRoute({
  method: 'get',
  path: '/api/trust',
  summary: 'The policy that packages are judged by',
  responses: { 200: json(z.record(z.string(), z.unknown()), 'The policy; empty when nobody is trusted.'), default: problem },
})

const showVerdict = createRoute({
  method: 'get',
  path: '/api/plugins/{id}/verdict',
  summary: 'What each rule of the policy said when a plugin was last to start or to be installed',
  request: { params },
  responses: {
    200: json(
      z.object({ id: z.string(), verdict: VerdictView.nullable() }).openapi('PluginVerdict'),
      'Null before it was asked.',
    ),
    default: problem,
  },
})

/** All of them. */
export const definitions = { showPermissions, approve, revoke, withhold, grants, showPolicy, showVerdict } as const
