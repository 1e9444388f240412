// npm's oauth2-mock-server on a free port of the loopback address: any claims at will, signed with any key, new ones too.
// Out: "ready <issuer>".  POST /mint {claims, kid, algorithm} answers a token; a key id not yet known makes a new key.

import { once } from "node:events";
import http from "node:http";
import { OAuth2Server } from "oauth2-mock-server";

process.stdin.resume().on("end", () => process.exit(0)); // whoever started it is gone

const mock = new OAuth2Server();
const { issuer, service } = mock;

async function mint({ claims, kid, algorithm }) {
  if (!issuer.keys.get(kid)) await issuer.keys.generate(algorithm, { kid });
  return issuer.buildToken({ kid, expiresIn: 600, scopesOrTransform: (header, payload) => Object.assign(payload, claims) });
}

const server = http.createServer(async (request, response) => {
  if (request.url !== "/mint") return service.requestHandler(request, response);
  let body = "";
  for await (const part of request) body += part;
  return response.end(await mint(JSON.parse(body)));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
issuer.url = `http://127.0.0.1:${server.address().port}`;
process.stdout.write(`ready ${issuer.url}\n`);
