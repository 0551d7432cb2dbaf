import { definePlugin } from '@backplane/sdk'
import { greeting } from '@example/greeting'

export default definePlugin<{ title: string }>((scope) => {
  scope.on(greeting, 'be-polite', (text, call) => {
    call.log.debug('being polite')
    return `${text}, ${scope.config.title}`
  })
  scope.on(greeting, 'capitalise', (text) => text.charAt(0).toUpperCase() + text.slice(1))
})
