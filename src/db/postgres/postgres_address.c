/* PostgreSQL addresses: what libpq takes, and what may be shown of it.
 *
 * A password that is not percent-encoded shifts the parts of an address, and libpq would then print
 * pieces of it as a host or a port. So nothing of an address that does not parse cleanly is shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/postgres/postgres_internal.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && *o->val ? o->val : NULL;
    }
    return NULL;
}

static bool is_port_list(const char *s)
{
    return s[strspn(s, "0123456789,")] == '\0';
}

static ims_status not_understood(ims_err *err)
{
    return ims_fail(
        err, IMS_E_CONFIG, "postgres", 0,
        "the database address is not understood (its text is withheld, it may hold a "
        "password); write postgresql://USER:PASSWORD@HOST:PORT/NAME with any of @ : / ? # %% "
        "in the password as %%40 %%3A %%2F %%3F %%23 %%25");
}

static char *describe(const PQconninfoOption *options)
{
    const char *user = value_of(options, "user");
    const char *host = value_of(options, "host");
    const char *port = value_of(options, "port");
    const char *name = value_of(options, "dbname");

    if (!host)
        host = value_of(options, "hostaddr");
    return ims__strfmt("postgresql://%s%s%s%s%s/%s", user ? user : "", user ? "@" : "",
                       host ? host : "", port ? ":" : "", port ? port : "", name ? name : "");
}

/* "postgresql+asyncpg://..." without the driver; new string. */
static char *without_driver(const char *url)
{
    const char *rest = strstr(url, "://");

    return ims__strfmt("postgresql%s", rest ? rest : "://");
}

ims_status ims__postgres_parse_url(struct postgres_ctx *c, const char *url, ims_err *err)
{
    PQconninfoOption *options = NULL;
    const char *host, *port, *name, *password;
    ims_status st;

    c->conninfo = without_driver(url);
    if (!c->conninfo)
        return ims_fail(err, IMS_E_NOMEM, "postgres", 0, "allocating an address");
    options = PQconninfoParse(c->conninfo, NULL);
    if (!options) {
        st = not_understood(err);
        goto out;
    }
    host = value_of(options, "host");
    port = value_of(options, "port");
    name = value_of(options, "dbname");
    password = value_of(options, "password");
    if ((host && strchr(host, '@')) || (name && strpbrk(name, "@:/=")) ||
        (port && !is_port_list(port))) {
        st = not_understood(err);
        goto out;
    }
    c->password = ims__strdup(password);
    c->location = describe(options);
    st = c->location && (c->password || !password)
             ? IMS_OK
             : ims_fail(err, IMS_E_NOMEM, "postgres", 0, "allocating an address");
out:
    PQconninfoFree(options);
    return st;
}
