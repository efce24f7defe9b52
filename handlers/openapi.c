#include "base/embed.h"
#include "base/fail.h"
#include "handlers/routes.h"

/* GET /openapi.yaml: the contract this binary was built with. */
bool
openapi_document(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	(void)app;
	(void)request;
	if (embedded_openapi.size_bytes == 0)
		return fail(ctx, FAIL_NOT_FOUND, "this build carries no OpenAPI document");
	return reply_text(reply, 200, "application/yaml", embedded_openapi.text);
}
