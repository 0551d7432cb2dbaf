import assert from 'node:assert/strict'
import { test } from 'node:test'
import { question } from './fixtures/known-machine.ts'
import { OpenQuestions } from './open-questions.ts'

const patient = new AbortController().signal

function opened(): { readonly questions: OpenQuestions; readonly told: string[] } {
  const told: string[] = []
  const questions = new OpenQuestions({ asked: ({ id }) => told.push(`asked ${id}`), givenUp: (id) => told.push(`gone ${id}`) })
  return { questions, told }
}

test('each question gets its own answer, whatever the order', async () => {
  const { questions, told } = opened()
  const [a, b] = [questions.approver(question('a'), patient), questions.approver(question('b'), patient)]
  questions.decide('b', true, null)
  questions.decide('a', false, null)
  questions.decide('nonesuch', true, null)
  assert.deepEqual(told, ['asked a', 'asked b'])
  assert.deepEqual([await a, await b], [{ approved: false, reason: 'the person at the terminal said no' }, { approved: true }])
})

test('a question nobody waits for leaves the screen, and is answered by nothing', async () => {
  const { questions, told } = opened()
  const caller = new AbortController()
  const asked = questions.approver(question('a'), caller.signal)
  caller.abort(new Error('gave up'))
  await assert.rejects(asked, /nobody waits/)
  questions.decide('a', true, null)
  assert.deepEqual(told, ['asked a', 'gone a'])
})

test('once the screen is gone everything is refused', async () => {
  const { questions } = opened()
  const before = questions.approver(question('a'), patient)
  questions[Symbol.dispose]()
  for (const answer of [await before, await questions.approver(question('b'), patient)]) {
    assert.deepEqual(answer, { approved: false, reason: 'the person at the terminal has left' })
  }
})
