/* A library whose one function calls a function of another library.
 * SPDX-License-Identifier: Apache-2.0 */
int FAKE_CALLS(void);
int FAKE_NAME(void);

int FAKE_NAME(void)
{
    return FAKE_CALLS();
}
