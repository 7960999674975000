/* Keys under which texts compare equal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/fold.h"

#include <string.h>

static const char *key_of(const char *s)
{
    static char out[4][256];
    static unsigned turn;
    struct ims_buf b;

    turn = (turn + 1) % 4;
    out[turn][0] = '\0';
    ims__buf_init(&b, 200);
    if (ims__fold(s, strlen(s), &b) == IMS_OK && b.len)
        memcpy(out[turn], b.data, b.len + 1);
    ims__buf_release(&b);
    return out[turn];
}

TEST(fold,
     "keys are case-folded compatibility forms without ignorable characters and needless blanks")
{
    CHECK_STR(key_of("  Anna\t\xe2\x80\x83 MARIA "), "anna maria");
    CHECK_STR(key_of("e\xcc\x81"), "\xc3\xa9");
    CHECK_STR(key_of("\xef\xac\x81n"), "fin"); /* a ligature */
    CHECK_STR(key_of("\xe1\xba\x9e"), "ss");   /* capital sharp s */
    CHECK_STR(key_of("a\xc2\xad"
                     "b\xe2\x80\x8d"),
              "ab"); /* soft hyphen, zero width joiner */
    CHECK_STR(key_of("\xe4\xbd\x95"), "\xe4\xbd\x95");
    CHECK_STR(key_of(""), "");
    CHECK_STR(key_of(" \xe2\x80\x8b"), "");
}

TEST(fold_wrong, "what is not UTF-8 has no key, and a key that does not fit is an error")
{
    struct ims_buf b;

    ims__buf_init(&b, 100);
    CHECK_INT(ims__fold("a\xff", 2, &b), IMS_E_FORMAT);
    ims__buf_release(&b);
    ims__buf_init(&b, 4);
    CHECK_INT(ims__fold("abcdefgh", 8, &b), IMS_E_LIMIT);
    ims__buf_release(&b);
}

TEST(trim, "white space at the ends is cut off, of any script")
{
    const char *start = NULL;
    const char text[] = "\xc2\xa0 a b\xe3\x80\x80\n";

    CHECK_INT(ims__trim(text, strlen(text), &start), 3);
    CHECK(start == text + 3);
    CHECK_INT(ims__trim(" \t", 2, &start), 0);
    CHECK_INT(ims__trim("", 0, &start), 0);
}
