/* A replacement for bcryptprimitives.dll, which Wine 8 lacks. Rust's standard library takes random bytes from its only
   function; SystemFunction036 (RtlGenRandom) provides the same bytes. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size) {
    return SystemFunction036(buffer, (ULONG)size);
}
