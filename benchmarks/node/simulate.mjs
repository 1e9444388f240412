// iam-simulate on one request, for benchmarks/policy.py: reads the scene from the first line of standard input, then a
// count from each further line, and answers each with the CPU µs of one decision. The policies are validated once,
// beforehand, and the cheapest of the package's entry points decides.

import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(pathToFileURL(`${process.cwd()}/`))
const { createValidatedPolicy, validateIdentityPolicy } = require('@cloud-copilot/iam-policy')
const { runSimulation, runUnsafeSimulation } = require('@cloud-copilot/iam-simulate')

let simulation

async function prepared(scene) {
  const identityPolicies = scene.policies.map((policy, number) => ({
    name: `policy-${number}`,
    policy: createValidatedPolicy(policy, validateIdentityPolicy),
  }))
  const { principal, action, resource, account, context } = scene
  const request = { principal, action, resource: { resource, accountId: account }, contextVariables: context }
  const made = { request, identityPolicies, serviceControlPolicies: [], resourceControlPolicies: [] }
  const checked = await runSimulation(made, {})
  const results = new Set([checked.overallResult ?? JSON.stringify(checked.errors), runUnsafeSimulation(made, {})])
  return [made, [...results].join(' and ')]
}

for await (const line of createInterface({ input: process.stdin })) {
  if (simulation === undefined) {
    const [made, result] = await prepared(JSON.parse(line))
    simulation = made
    console.log(result)
    continue
  }
  const count = Number(line)
  const begun = process.cpuUsage()
  for (let number = 0; number < count; number++) {
    runUnsafeSimulation(simulation, {})
  }
  const { user, system } = process.cpuUsage(begun)
  console.log((user + system) / count)
}
