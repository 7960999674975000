/* A driver library without any of the driver's functions.
 * SPDX-License-Identifier: Apache-2.0 */

int fake_empty_marker(void);

int fake_empty_marker(void)
{
    return 1;
}
