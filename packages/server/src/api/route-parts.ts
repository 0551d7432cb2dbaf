import { z } from '@hono/zod-openapi'

/** Every error. Source: RFC 9457 §3. */
export const ProblemView = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('What programs compare.'),
    hint: z.string().optional().describe('What to do now.'),
    retryable: z.boolean(),
    exit: z.int().describe('What a program that only asked for this ends with.'),
    plugin: z.string().optional(),
    point: z.string().optional(),
    instance: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi('Problem')

/** An answer in JSON. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

/** An answer in text of another type. */
export const text = (type: string, description: string) => ({ description, content: { [type]: { schema: z.string() } } })

/** Every error. */
export const problem = {
  description: 'RFC 9457 problem.',
  content: { 'application/problem+json': { schema: ProblemView } },
}

/** The parameter that names a plugin. */
export const Id = z.string().describe('A bare name, or publisher/name with the slash written as it is or as %2F.')

/** The headers of any change. */
export const ChangeHeaders = z.object({
  prefer: z
    .string()
    .optional()
    .describe('`respond-async` lets the change go on after its answer, with `wait=<seconds>` only then.'),
  'idempotency-key': z.string().optional().describe('The same POST with the same key is done once.'),
})

/** The headers of a change of one plugin. */
export const Precondition = ChangeHeaders.extend({
  'if-match': z.string().optional().describe('ETag of the state that was read; 412 when the plugin has changed.'),
})
