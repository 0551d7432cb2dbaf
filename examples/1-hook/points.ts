import { defineHook } from '@backplane/sdk'
import { z } from 'zod'

/** What this host says to a visitor; each handler may change it. */
export const greeting = defineHook('example.greeting', { strategy: 'pipe', value: z.string() })
