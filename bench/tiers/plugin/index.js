import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const point = defineProvider('bench.echo', { echo: unary(anything, anything) })

export default definePlugin((scope) => scope.provide(point, 'echo', { echo: async (value) => value }))
