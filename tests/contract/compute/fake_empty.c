/* A library that has nothing to do with inference.
 * SPDX-License-Identifier: Apache-2.0 */

int not_a_runtime(void);

int not_a_runtime(void)
{
    return 1;
}
